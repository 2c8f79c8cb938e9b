//! The examples of `btaot explain`: the wrong ones have their problem, the right ones do not.

use btaot_abi::arch::Arch;
use btaot_frontend::{Code, NoFiles, Sources, load};
use btaot_semantic::target::Fixture;
use btaot_semantic::{Options, Target, analyze};
use std::path::Path;

/// Files are read by the command line, and these are its messages.
const OF_FILES: [Code; 1] = [Code::MissingInclude];

/// What may be found besides: parts of the language that cannot be compiled yet, and facts on a machine of which
/// nothing is known.
const OF_THE_MACHINE: [Code; 3] = [Code::NotSupportedYet, Code::MissingTypeInformation, Code::AbsentHere];

fn found(text: &str) -> Vec<Code> {
    let mut sources = Sources::new();
    let file = sources.add("example.bt", text);
    let target = Target::fixture(Arch::X86_64, Fixture::new());
    let result = load(file, Path::new("example.bt"), &mut sources, &NoFiles)
        .and_then(|loaded| analyze(&loaded.script, &sources, &target, None, &Options::default()));
    let diagnostics = result.map_or_else(|problems| problems, |analysis| analysis.warnings);
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn wrong_and_right_examples_differ_in_their_problem() {
    let mut problems = Vec::new();
    for code in Code::ALL.iter().filter(|code| !OF_FILES.contains(code)) {
        let explanation = code.explain();
        let of_the_machine = |code: &Code| OF_THE_MACHINE.contains(code);
        if !explanation.wrong.is_empty() {
            let codes = found(explanation.wrong);
            let unknown = !of_the_machine(code) && codes.iter().any(of_the_machine);
            if !codes.contains(code) && !unknown {
                problems.push(format!("{code}: `{}` gives {codes:?}", explanation.wrong));
            }
        }
        let codes = found(explanation.right);
        if !codes.iter().all(of_the_machine) {
            problems.push(format!("{code}: `{}` gives {codes:?}", explanation.right));
        }
    }
    assert_eq!(problems, [] as [String; 0]);
}
