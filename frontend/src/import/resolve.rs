//! From the text of an import to the files that it means.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use btaot_grammar::vocabulary::closest;

use super::{Entry, EntryKind, Loader};
use crate::ast::Import;
use crate::diagnostic::{Code, Diagnostic};
use crate::expand::is_library;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// What a file brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `*.bt`
    Script,
    /// `*.h`
    Header,
    /// `*.bpf.c`, `*.bpf.o`: functions in C.
    Code,
}

impl Kind {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.as_bytes();
        [(&b".bt"[..], Self::Script), (b".h", Self::Header), (b".bpf.c", Self::Code), (b".bpf.o", Self::Code)]
            .into_iter()
            .find(|(ending, _)| name.len() > ending.len() && name.ends_with(ending))
            .map(|(_, kind)| kind)
    }
}

/// A file that is imported.
pub(super) struct Resolved {
    pub path: PathBuf,
    pub identity: PathBuf,
    pub kind: Kind,
}

impl Loader<'_> {
    /// The files that an import means: one, those of a folder, or none when the standard library is meant.
    pub(super) fn resolve(&mut self, import: &Import, folder: &Path) -> Result<Vec<Resolved>> {
        if import.path.is_empty() || import.path.contains(&0) {
            let error = Diagnostic::error(Code::BadImport, import.span, "this import names no file");
            return Err(Box::new(error.with_secondary(import.path_span, "not a path")));
        }
        let name = Path::new(OsStr::from_bytes(&import.path));
        let mut looked = Vec::new();
        for base in [folder.to_owned(), self.root.clone()] {
            let path = base.join(name);
            if looked.contains(&path) {
                continue;
            }
            if let Some(entry) = self.files.look(&path) {
                return self.entry(import, path, entry);
            }
            looked.push(path);
        }
        if std::str::from_utf8(&import.path).is_ok_and(is_library) {
            return Ok(Vec::new());
        }
        Err(Box::new(self.missing(import, &looked)))
    }

    fn entry(&mut self, import: &Import, path: PathBuf, entry: Entry) -> Result<Vec<Resolved>> {
        let refuse = |message: String, label: &str| {
            let error = Diagnostic::error(Code::BadImport, import.span, message);
            Box::new(error.with_secondary(import.path_span, label))
        };
        if entry.exposed {
            let message =
                format!("everyone may write to `{}` or to the folder that it lies in", path.display());
            let error = refuse(message, "not safe to import");
            return Err(Box::new(error.with_hint("move it to a folder of your own, or `chmod o-w`")));
        }
        match entry.kind {
            EntryKind::Folder(names) => Ok(self.of_folder(import, &path, &names)),
            EntryKind::Other => Err(refuse(format!("`{}` is not a file", path.display()), "no file")),
            EntryKind::File => {
                match Kind::of(&path) {
                    Some(kind) => Ok(vec![Resolved { path, identity: entry.identity, kind }]),
                    None => {
                        let error = refuse(
                            format!("`{}` is of no kind that can be imported", path.display()),
                            "this file",
                        );
                        Err(Box::new(error.with_hint(
                            "import a script `*.bt`, a header `*.h`, C code `*.bpf.c`, or a folder",
                        )))
                    }
                }
            }
        }
    }

    /// The files in a folder, but not in folders of it; what cannot be imported does not count.
    fn of_folder(&mut self, import: &Import, folder: &Path, names: &[std::ffi::OsString]) -> Vec<Resolved> {
        let mut found = Vec::new();
        for name in names {
            let path = folder.join(name);
            let Some(kind) = Kind::of(&path) else { continue };
            let Some(entry) = self.files.look(&path).filter(|entry| entry.kind == EntryKind::File) else {
                continue;
            };
            if entry.exposed {
                self.skipped(&path, import.span);
            } else {
                found.push(Resolved { path, identity: entry.identity, kind });
            }
        }
        found
    }

    fn missing(&self, import: &Import, looked: &[PathBuf]) -> Diagnostic {
        let name = String::from_utf8_lossy(&import.path).into_owned();
        let mut error =
            Diagnostic::error(Code::BadImport, import.span, format!("there is no `{name}` to import"))
                .with_secondary(import.path_span, "not found");
        for path in looked {
            error = error.with_note(format!("looked for {}", path.display()));
        }
        error.with_hint_opt(self.similar(looked))
    }

    /// A file with nearly the same name.
    fn similar(&self, looked: &[PathBuf]) -> Option<String> {
        looked.iter().find_map(|path| {
            let folder = path.parent()?;
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let Some(Entry { kind: EntryKind::Folder(names), .. }) = self.files.look(folder) else {
                return None;
            };
            let names: Vec<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
            let candidates =
                names.iter().map(String::as_str).filter(|name| Kind::of(Path::new(name)).is_some());
            let close = closest(path.file_name()?.to_str()?, candidates)?;
            Some(format!("did you mean `{close}`?"))
        })
    }
}

/// A path as bytes.
pub(super) fn bytes_of(path: &Path) -> Vec<u8> {
    path.as_os_str().to_owned().into_vec()
}
