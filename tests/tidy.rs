//! The invariants of ARCHITECTURE.md, one test each.
//!
//! They read the sources and the dependency graph; none needs the compiler to work.

mod coverage;
mod crates;
mod lexer;
mod sources;

use crate::support::{Checked, policy};
use libtest_mimic::Trial;

/// A test per invariant.
pub fn trials() -> Vec<Trial> {
    type Check = fn() -> Checked;
    let checks: [(&str, Check); 14] = [
        ("shim_has_no_compiler_crate", crates::shim_has_no_compiler_crate),
        ("crates_depend_in_one_direction", crates::depend_in_one_direction),
        ("every_crate_uses_the_workspace_lints", crates::use_the_workspace_lints),
        ("every_external_crate_says_why", crates::external_ones_say_why),
        ("files_are_short", sources::files_are_short),
        ("functions_are_short", sources::functions_are_short),
        ("lint_exceptions_give_a_reason", sources::lint_exceptions_give_a_reason),
        ("unsafe_stays_in_its_folders", sources::unsafe_stays_in_its_folders),
        ("compiling_reads_nothing_but_its_input", sources::compiling_is_pure),
        ("names_are_compared_in_the_vocabulary_only", sources::names_stay_in_the_vocabulary),
        ("nothing_of_this_machine_is_in_the_repository", sources::no_machine_traces),
        ("lexer_blanks_comments_and_literals", lexer::blanks_only_comments_and_literals),
        ("every_row_of_the_vocabulary_is_exercised", coverage::every_row_is_exercised),
        ("architecture_page_is_short", sources::architecture_page_is_short),
    ];
    let trial = |(name, check): (&str, Check)| policy::trial(format!("tidy::{name}"), [], check);
    checks.into_iter().map(trial).collect()
}
