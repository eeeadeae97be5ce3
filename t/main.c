/*
 * main - runs every suite; the exit status is 0 where all checks passed
 *
 * Checks that change ids need root. Without it they are skipped, which the
 * last line says, or fail, where PS_MUST_RUN=1 stands in the environment.
 * Under another name this is the program that some of them start: report.h.
 */
#include "report.h"
#include "suites.h"
#include "support.h"

#include <apr_general.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    SRunner *runner;
    int failed;

    if (argc > 0 && strcmp(argv[0], REPORT) == 0) {
        return report(argv);
    }
    if (apr_initialize() != APR_SUCCESS) {
        fputs("APR does not start\n", stderr);
        return EXIT_FAILURE;
    }
    runner = srunner_create(decision_ids_suite());
    srunner_add_suite(runner, decision_owner_suite());
    srunner_add_suite(runner, decision_pinned_suite());
    srunner_add_suite(runner, decision_docroot_suite());
    srunner_add_suite(runner, decision_path_suite());
    srunner_add_suite(runner, settings_suite());
    srunner_add_suite(runner, settings_host_suite());
    srunner_add_suite(runner, covers_suite());
    srunner_add_suite(runner, lookup_suite());
    srunner_add_suite(runner, path_suite());
    srunner_add_suite(runner, path_limits_suite());
    srunner_add_suite(runner, path_growth_suite());
    srunner_add_suite(runner, stack_suite());
    srunner_add_suite(runner, identity_suite());
    srunner_add_suite(runner, privilege_faults_suite());
    srunner_add_suite(runner, drop_faults_suite());
    srunner_add_suite(runner, privilege_kernel_suite());
    srunner_add_suite(runner, privilege_return_suite());
    srunner_add_suite(runner, privilege_attack_suite());
    srunner_add_suite(runner, fs_identity_suite());
    srunner_add_suite(runner, fs_is_suite());
    srunner_add_suite(runner, fs_reach_suite());
    srunner_add_suite(runner, fs_faults_suite());
    srunner_add_suite(runner, tenant_thread_suite());
    srunner_add_suite(runner, tenant_refused_suite());
    srunner_add_suite(runner, tenant_signals_suite());
    srunner_add_suite(runner, signal_suite());
    srunner_add_suite(runner, signal_faults_suite());
    srunner_add_suite(runner, spawn_suite());
    srunner_add_suite(runner, spawn_already_suite());
    srunner_add_suite(runner, spawn_refused_suite());
    srunner_add_suite(runner, spawn_faults_suite());
    srunner_add_suite(runner, spawn_many_suite());
    srunner_add_suite(runner, spawn_attack_suite());
    srunner_add_suite(runner, spawn_lease_suite());

    srunner_set_fork_status(runner, CK_FORK);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    apr_terminate();
    report_skipped();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
