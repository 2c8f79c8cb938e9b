//! The standard library, as far as it is written in the language itself.
//!
//! A file of it is parsed only when a script, or another such file, holds one of its names.

use crate::ast::Macro;
use crate::diagnostic::Diagnostic;
use crate::parse::parse;
use crate::source::Sources;

/// Names that `import` takes without a file. All functions of the library are there without it, so an import of one of
/// these only says what the script relies on.
const PACKAGES: [&str; 9] = [
    "stdlib",
    "stdlib/map",
    "stdlib/process",
    "stdlib/stack",
    "stdlib/strings",
    "stdlib/system",
    "stdlib/task",
    "stdlib/test",
    "stdlib/usdt",
];

/// A file of macros.
struct File {
    /// Its name in messages.
    name: &'static str,
    /// What it defines.
    macros: &'static [&'static str],
    /// Whether these mean something without parentheses. A bare name may then be all there is in a script.
    bare: bool,
    /// Its content.
    text: &'static str,
}

const FILES: [File; 3] = [
    File {
        name: "stdlib/control.bt",
        macros: &["assert"],
        bare: false,
        text: include_str!("../../stdlib/control.bt"),
    },
    File {
        name: "stdlib/task.bt",
        macros: &["comm"],
        bare: false,
        text: include_str!("../../stdlib/task.bt"),
    },
    File {
        name: "stdlib/test.bt",
        macros: &["__always_true"],
        bare: true,
        text: include_str!("../../stdlib/test.bt"),
    },
];

/// Whether an import means the standard library.
pub(crate) fn is_library(name: &str) -> bool {
    PACKAGES.contains(&name)
}

/// The macros of all files of which a name occurs in the sources. Words in comments count too: such a file is parsed
/// for nothing.
pub(super) fn macros(sources: &mut Sources) -> Result<Vec<Macro>, Vec<Diagnostic>> {
    let mut waiting: Vec<&File> = FILES.iter().collect();
    let mut macros = Vec::new();
    loop {
        let occurs = |file: &&File| {
            let named = |text: &str| file.macros.iter().any(|name| uses(text, name, file.bare));
            sources.iter().any(|source| named(source.text()))
        };
        let (needed, others): (Vec<&File>, Vec<&File>) = waiting.into_iter().partition(|file| occurs(file));
        if needed.is_empty() {
            return Ok(macros);
        }
        for file in needed {
            let id = sources.add(file.name, file.text);
            macros.extend(parse(sources.get(id))?.macros);
        }
        waiting = others;
    }
}

/// Whether a text has a name, and arguments behind it where the name alone means something else.
fn uses(text: &str, name: &str, bare: bool) -> bool {
    let mut behind = text.match_indices(name).map(|(at, _)| text[at + name.len()..].trim_start());
    behind.any(|rest| bare || rest.starts_with('('))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_defines_what_its_row_says() {
        for file in FILES {
            let mut sources = Sources::new();
            let id = sources.add(file.name, file.text);
            let script = parse(sources.get(id)).expect("a file of the library is a script");
            let mut defined: Vec<&str> = script.macros.iter().map(|found| found.name.text.as_str()).collect();
            defined.dedup();
            assert_eq!(defined, file.macros, "{}", file.name);
        }
    }

    #[test]
    fn only_files_with_a_name_of_the_script_are_parsed() {
        let mut sources = Sources::new();
        sources.add("script.bt", "begin { assert(1 == 1, \"arithmetic\"); }");
        let found = macros(&mut sources).expect("the library is right");
        assert_eq!(found.len(), 1);
        assert_eq!(sources.iter().count(), 2);
    }
}
