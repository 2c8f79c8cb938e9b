//! Imports: one script of several files.
//!
//! This crate opens no file. It asks a [`Files`], so that what is compiled follows from its arguments alone.

mod files;
mod resolve;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use files::{Entry, EntryKind, Files, NoFiles};

use btaot_grammar::vocabulary::ConfigKey;

use crate::ast::{CImport, CItem, ConfigValue, Import, Script};
use crate::cdef::redefinitions;
use crate::diagnostic::{Code, Diagnostic, Severity, unfold};
use crate::expand::expand;
use crate::parse::parse;
use crate::source::{FileId, Sources, Span};
use resolve::{Kind, Resolved};

/// Imported files may import others this deep.
const MAX_DEPTH: usize = 32;
/// Files that a script may import.
const MAX_FILES: usize = 1000;

/// A script with everything that it imports, and with its macros expanded.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The whole.
    pub script: Script,
    /// What was found doubtful on the way.
    pub warnings: Vec<Diagnostic>,
}

/// Parses the file of a script and all that it imports, and expands macros. `path` is where the script lies: relative
/// names are looked for beside it.
///
/// # Errors
/// Everything that is wrong with the form of one of the files, with an import, or with a call of a macro.
pub fn load(
    file: FileId,
    path: &Path,
    sources: &mut Sources,
    files: &dyn Files,
) -> Result<Loaded, Vec<Diagnostic>> {
    let script = parse(sources.get(file))?;
    let mut loader = Loader {
        root: path.parent().unwrap_or(Path::new("")).to_owned(),
        sources,
        files,
        seen: files.look(path).map(|entry| entry.identity).into_iter().collect(),
        depth: 0,
        imports: 0,
        follows_inner: admits_inner_imports(&script),
        diagnostics: Vec::new(),
    };
    let folder = loader.root.clone();
    let script = loader.with_imports(script, &folder);
    let mut diagnostics = loader.diagnostics;
    if !script.imports.is_empty() {
        diagnostics.extend(redefinitions(&script.c_items));
    }
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics.into_iter().map(|diagnostic| unfold(diagnostic, sources)).collect());
    }
    match expand(script, sources) {
        Ok(script) => Ok(Loaded { script, warnings: diagnostics }),
        Err(problems) => Err([diagnostics, problems].concat()),
    }
}

struct Loader<'s> {
    /// The folder of the user's script.
    root: PathBuf,
    sources: &'s mut Sources,
    files: &'s dyn Files,
    /// Files that are part of the script already.
    seen: BTreeSet<PathBuf>,
    depth: usize,
    /// Imports so far.
    imports: usize,
    /// The script's settings admit imports inside blocks. Those of a script that does not are refused by the checker.
    follows_inner: bool,
    diagnostics: Vec<Diagnostic>,
}

impl Loader<'_> {
    /// The script behind what it imports; names are relative to `folder`.
    fn with_imports(&mut self, script: Script, folder: &Path) -> Script {
        let mut whole = Script::default();
        for import in &script.imports {
            self.import(import, folder, false, &mut whole);
        }
        if self.follows_inner {
            for import in &script.inner_imports {
                self.import(import, folder, true, &mut whole);
            }
        }
        append(&mut whole, script);
        whole
    }

    /// `inner`: it stands inside a block, and so can bring types and C code only.
    fn import(&mut self, import: &Import, folder: &Path, inner: bool, whole: &mut Script) {
        self.imports += 1;
        if self.imports > MAX_FILES {
            if self.imports == MAX_FILES + 1 {
                self.too_many(import.span);
            }
            return;
        }
        match self.resolve(import, folder) {
            Ok(found) if inner && found.iter().any(|file| file.kind == Kind::Script) => {
                let message = "an import inside a block brings types and C code, and no scripts";
                let error = Diagnostic::error(Code::BadImport, import.span, message)
                    .with_secondary(import.path_span, "this is a script, or a folder with one");
                self.diagnostics.push(error.with_hint("import it at the top of the script"));
            }
            Ok(found) => found.into_iter().for_each(|file| self.file(file, import.span, whole)),
            Err(problem) => self.diagnostics.push(*problem),
        }
    }

    fn too_many(&mut self, at: Span) {
        let message =
            format!("imports nest deeper than {MAX_DEPTH} files, or there are more than {MAX_FILES}");
        self.diagnostics.push(Diagnostic::error(Code::BadImport, at, message));
    }

    fn file(&mut self, found: Resolved, at: Span, whole: &mut Script) {
        if !self.seen.insert(found.identity) {
            return;
        }
        if self.depth >= MAX_DEPTH || self.seen.len() > MAX_FILES {
            return self.too_many(at);
        }
        if found.kind == Kind::Code {
            let path = resolve::bytes_of(&found.path);
            whole.c_imports.push(CImport { path, functions: None, code: None, span: at });
            return;
        }
        let name = found.path.to_string_lossy().into_owned();
        let bytes = match self.files.read(&found.path) {
            Ok(bytes) => bytes,
            Err(reason) => {
                let message = format!("`{name}` cannot be read: {reason}");
                self.diagnostics.push(Diagnostic::error(Code::BadImport, at, message));
                return;
            }
        };
        let file = self.sources.add_import(name, bytes, at);
        match (parse(self.sources.get(file)), found.kind) {
            (Ok(script), Kind::Script) => self.script(script, &found.path, whole),
            (Ok(header), _) if only_definitions(&header) => append(whole, header),
            // What is more than plain definitions takes a C compiler.
            (_, Kind::Header | Kind::Code) => {
                let path = resolve::bytes_of(&found.path);
                whole.c_items.push(CItem::Include { path, system: false, span: at });
            }
            (Err(problems), Kind::Script) => self.diagnostics.extend(problems),
        }
    }

    fn script(&mut self, mut script: Script, path: &Path, whole: &mut Script) {
        if let Some(config) = script.config.take() {
            let message = "settings can only be made by the script itself, not by a file that it imports";
            let error =
                Diagnostic::error(Code::BadImport, config.span, message).with_label("in an imported file");
            self.diagnostics.push(error.with_hint("move the block to the script"));
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        self.depth += 1;
        let script = self.with_imports(script, &folder);
        self.depth -= 1;
        append(whole, script);
    }

    /// Notes a file of a folder that is left out.
    fn skipped(&mut self, path: &Path, at: Span) {
        let message = format!("`{}` is left out: everyone may write to it", path.display());
        let warning =
            Diagnostic { severity: Severity::Warning, ..Diagnostic::error(Code::ImportSkipped, at, message) };
        self.diagnostics.push(warning.with_hint("take the permission away: `chmod o-w`"));
    }
}

/// Whether a script's settings admit imports inside blocks.
fn admits_inner_imports(script: &Script) -> bool {
    let entries = script.config.iter().flat_map(|config| &config.entries);
    entries.into_iter().any(|entry| {
        let is_it = ConfigKey::lookup(&entry.key.text)
            .is_some_and(|(key, _)| key == ConfigKey::UnstableImportStatement);
        let word = match &entry.value {
            ConfigValue::Word(word) => word.as_bytes(),
            ConfigValue::Str(text) => text,
            _ => return false,
        };
        is_it && matches!(word, b"enable" | b"warn")
    })
}

/// Whether a header needs no C compiler.
fn only_definitions(header: &Script) -> bool {
    let includes = header.c_items.iter().any(|item| matches!(item, CItem::Include { .. }));
    let others = header.imports.len() + header.macros.len() + header.functions.len() + header.probes.len();
    !includes && others + header.map_declarations.len() == 0 && header.config.is_none()
}

/// Puts a script behind another.
fn append(whole: &mut Script, script: Script) {
    whole.c_items.extend(script.c_items);
    whole.config = whole.config.take().or(script.config);
    whole.imports.extend(script.imports);
    whole.inner_imports.extend(script.inner_imports);
    whole.c_imports.extend(script.c_imports);
    whole.map_declarations.extend(script.map_declarations);
    whole.macros.extend(script.macros);
    whole.functions.extend(script.functions);
    whole.probes.extend(script.probes);
}
