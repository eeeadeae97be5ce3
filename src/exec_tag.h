/*
 * exec_tag - mod_include's #exec, in pages that are a tenant's
 *
 * mod_include asks one module for the tag, as a rule mod_cgi or mod_cgid. Here
 * this one, which runs the program itself where the page is in its tenant's
 * thread, and leaves all others to whichever it would have been.
 */
#ifndef PS_EXEC_TAG_H
#define PS_EXEC_TAG_H

/**
 * optional_fn_retrieve, before all others: stand between mod_include and those
 * who offer it the tag. As the configuration has been read, each time.
 */
void ps_exec_tag_listen(void);

/** optional_fn_retrieve, after all others: take their place. */
void ps_exec_tag_take_over(void);

#endif /* PS_EXEC_TAG_H */
