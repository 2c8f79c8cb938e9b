//! What the compiler answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use btaot_btf::{Btf, Def, Kind};
use btaot_semantic::Headers;

use super::OURS;
use super::clang::Compiled;
use super::places::Places;
use super::question::Words;

/// What headers define of the names of a script.
pub struct Answer {
    pub headers: Headers,
    /// Macros, as `#define`s of the script.
    pub defines: String,
    /// Includes that were not found, by position.
    pub missing: Vec<usize>,
    /// Why headers of the kernel were not read as the kernel does.
    pub problem: Option<String>,
}

impl Answer {
    pub fn new(
        found: Compiled,
        macros: &BTreeMap<String, String>,
        words: &Words,
        places: &Places,
        missing: Vec<usize>,
    ) -> Self {
        let mut defines = String::new();
        let mut constants = BTreeMap::new();
        for (name, value) in self::constants(&found.btf) {
            // A macro that stands for an enumerator of its own name is only there for `#ifdef`.
            match macros.get(&name).is_some_and(|body| *body != name) {
                true => defines.push_str(&format!("#define {name} {value}\n")),
                false => drop(constants.insert(name, value)),
            }
        }
        for name in &words.names {
            if let Some(body) = macros.get(name).filter(|body| is_text(body)) {
                defines.push_str(&format!("#define {name} {body}\n"));
            }
        }
        let files = files(&found.ir);
        let named = |choose: &dyn Fn(&Path) -> bool| -> BTreeSet<String> {
            files.iter().filter(|(_, file)| choose(file)).map(|(name, _)| name.clone()).collect()
        };
        let own = named(&|file| places.is_own(file));
        let kernel = named(&|file| places.is_kernel_internal(file));
        let headers = Headers { btf: found.btf, constants, own, kernel, ..Headers::default() };
        Self { headers, defines, missing, problem: None }
    }

    /// Adds constants of other headers, which are looked at last.
    pub fn complete(&mut self, constants: BTreeMap<String, i128>) {
        for (name, value) in constants {
            self.headers.constants.entry(name).or_insert(value);
        }
    }
}

/// The constants that were asked for.
pub fn constants(btf: &[u8]) -> Vec<(String, i128)> {
    let prefix = format!("{OURS}c_");
    let Ok(types) = Btf::scan(btf, None) else { return Vec::new() };
    let enumerations = types.own_ids().filter(|id| matches!(types.kind(*id), Kind::Enum | Kind::Enum64));
    let values = enumerations.filter_map(|id| match types.def(id) {
        Def::Enum { values, signed, .. } => Some(values.map(move |value| match signed {
            true => (value.name, i128::from(value.value)),
            false => (value.name, i128::from(value.value as u64)),
        })),
        _ => None,
    });
    let ours = |name: &str| name.strip_prefix(&prefix).map(str::to_owned);
    values.flatten().filter_map(|(name, value)| Some((ours(name)?, value))).collect()
}

/// Whether a macro's body is one text.
fn is_text(body: &str) -> bool {
    body.len() > 1 && body.starts_with('"') && body.ends_with('"') && !body[1..body.len() - 1].contains('"')
}

/// The files in which types are defined, by the types' names: `struct X`, `union X`, `enum X`, or a typedef's. They are
/// in the debug information of LLVM IR, one item a line (`!7 = !DIFile(…)`).
fn files(ir: &str) -> BTreeMap<String, PathBuf> {
    let mut paths = BTreeMap::new();
    let mut types = Vec::new();
    for line in ir.lines().filter(|line| line.starts_with('!')) {
        let Some((number, item)) = line.split_once(" = ") else { continue };
        if item.starts_with("!DIFile(") {
            if let (Some(name), Some(folder)) = (quoted(item, "filename: "), quoted(item, "directory: ")) {
                paths.insert(number, Path::new(folder).join(name));
            }
            continue;
        }
        let keyword = match unquoted(item, "tag: ") {
            Some("DW_TAG_structure_type") => "struct ",
            Some("DW_TAG_union_type") => "union ",
            Some("DW_TAG_enumeration_type") => "enum ",
            Some("DW_TAG_typedef") => "",
            _ => continue,
        };
        // Where a type is only declared says nothing of where it is defined.
        if item.contains("DIFlagFwdDecl") {
            continue;
        }
        if let (Some(name), Some(file)) = (quoted(item, "name: "), unquoted(item, "file: ")) {
            types.push((format!("{keyword}{name}"), file));
        }
    }
    types.into_iter().filter_map(|(name, file)| Some((name, paths.get(file)?.clone()))).collect()
}

fn quoted<'l>(item: &'l str, field: &str) -> Option<&'l str> {
    item.split_once(&format!("{field}\""))?.1.split_once('"').map(|(value, _)| value)
}

fn unquoted<'l>(item: &'l str, field: &str) -> Option<&'l str> {
    item.split_once(field)?.1.split([',', ')']).next()
}

#[cfg(test)]
mod tests {
    use super::{files, is_text};
    use std::path::Path;

    #[test]
    fn types_are_in_files() {
        let ir = "!3 = !DIFile(filename: \"x.h\", directory: \"/home/me\", checksumkind: CSK_MD5)\n\
                  !4 = distinct !DICompositeType(tag: DW_TAG_structure_type, name: \"point\", file: !3, line: 1)\n\
                  !5 = !DIDerivedType(tag: DW_TAG_typedef, name: \"port_t\", file: !3, line: 2, baseType: !6)\n\
                  !7 = !DICompositeType(tag: DW_TAG_structure_type, name: \"far\", file: !3, flags: DIFlagFwdDecl)\n\
                  !6 = !DIBasicType(name: \"int\", size: 32)\n";
        let found = files(ir);
        assert_eq!(found.get("struct point").map(|file| file.as_path()), Some(Path::new("/home/me/x.h")));
        assert_eq!(found.keys().collect::<Vec<_>>(), ["port_t", "struct point"]);
    }

    #[test]
    fn texts_are_whole() {
        assert!(is_text("\"a\""));
        assert!(!is_text("\"a\" \"b\""));
        assert!(!is_text("7"));
    }
}
