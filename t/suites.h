/*
 * suites - every suite of unit tests, one per file of its name
 *
 * Cases are tables: each row has a name, is run in a process of its own, and
 * names itself where it fails. main.c runs them all.
 */
#ifndef PS_SUITES_H
#define PS_SUITES_H

#include <check.h>

Suite *covers_suite(void);
Suite *decision_docroot_suite(void);
Suite *decision_ids_suite(void);
Suite *decision_owner_suite(void);
Suite *decision_path_suite(void);
Suite *decision_pinned_suite(void);
Suite *drop_faults_suite(void);
Suite *fs_faults_suite(void);
Suite *fs_identity_suite(void);
Suite *fs_is_suite(void);
Suite *fs_reach_suite(void);
Suite *identity_suite(void);
Suite *lookup_suite(void);
Suite *path_suite(void);
Suite *path_growth_suite(void);
Suite *path_limits_suite(void);
Suite *privilege_attack_suite(void);
Suite *privilege_faults_suite(void);
Suite *privilege_kernel_suite(void);
Suite *privilege_return_suite(void);
Suite *settings_suite(void);
Suite *settings_host_suite(void);
Suite *signal_suite(void);
Suite *signal_faults_suite(void);
Suite *spawn_suite(void);
Suite *spawn_already_suite(void);
Suite *spawn_attack_suite(void);
Suite *spawn_faults_suite(void);
Suite *spawn_lease_suite(void);
Suite *spawn_many_suite(void);
Suite *spawn_refused_suite(void);
Suite *stack_suite(void);
Suite *tenant_refused_suite(void);
Suite *tenant_signals_suite(void);
Suite *tenant_thread_suite(void);

#endif /* PS_SUITES_H */
