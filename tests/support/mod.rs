//! What the kinds of tests share.

pub mod cases;
pub mod compiler;
pub mod directives;
pub mod policy;
pub mod process;
pub mod programs;
pub mod scratch;
pub mod scripts;
pub mod text;

/// What a test's body returns: any printable error fails the test.
pub type Checked = Result<(), libtest_mimic::Failed>;
