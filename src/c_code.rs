//! Imported C code: what functions it defines.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use btaot_abi::arch::Arch;
use btaot_btf::{Btf, Def, Kind, TypeId, core_relos};
use btaot_frontend::Span;
use btaot_frontend::ast::{self, CFunction, CImport, Script, Type, TypeKind};
use btaot_frontend::diagnostic::{Code, Diagnostic};

use crate::cli::Includes;
use crate::headers::{Clang, Dialect, Places, section};

/// Looks into the C code that a script imports. Without clang, what C sources define stays unknown.
pub fn read(script: &mut Script, includes: &Includes) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for import in &mut script.c_imports {
        match look(import, includes) {
            Ok((functions, code)) => (import.functions, import.code) = (Some(functions), code),
            Err(problem) => diagnostics.push(*problem),
        }
    }
    diagnostics
}

/// What a file defines, and its code when it is source.
fn look(
    import: &CImport,
    includes: &Includes,
) -> Result<(Vec<CFunction>, Option<ast::CCode>), Box<Diagnostic>> {
    let path = Path::new(std::ffi::OsStr::from_bytes(&import.path));
    let shown = path.display();
    let refuse = |message: String| Box::new(Diagnostic::error(Code::BadImport, import.span, message));
    let bytes = fs::read(path).map_err(|error| refuse(format!("`{shown}` cannot be read: {error}")))?;
    let (object, bitcode) = if path.extension().is_some_and(|ending| ending == "o") {
        (bytes, None)
    } else {
        let folder = path.parent().unwrap_or(Path::new("."));
        let arch = Arch::host();
        let Some(clang) = Clang::find(includes.clang.as_deref(), arch) else {
            let message =
                format!("`{shown}` is not looked into: that needs clang, and there is none on this machine");
            return Err(Box::new(Diagnostic::note(Code::BadImport, import.span, message)));
        };
        let clang = clang.speaking(Dialect::Ebpf, &Places::new(folder, includes, arch));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let broken = |problem: String| refuse(format!("clang cannot compile `{shown}`: {problem}"));
        let object = clang.object(path).map_err(broken)?;
        let bitcode = clang.bitcode(path).map_err(broken)?;
        (object, Some((name, bitcode)))
    };
    let Some(btf) = section(&object, ".BTF") else {
        let error = refuse(format!("`{shown}` has no BTF, so its functions are not known"));
        return Err(Box::new(error.with_hint("compile it for eBPF with -g")));
    };
    let types =
        Btf::scan(&btf, None).map_err(|error| refuse(format!("the BTF of `{shown}` is broken: {error}")))?;
    let ids = types.own_ids().filter(|id| types.kind(*id) == Kind::Func);
    let functions = ids.filter_map(|id| function(&types, id, import.span)).collect();
    let roots = roots(&types, &section(&object, ".BTF.ext").unwrap_or_default());
    let code = bitcode.map(|(name, bitcode)| ast::CCode { name, bitcode, roots });
    Ok((functions, code))
}

/// The kernel types that relocations start from, without flavours, which are local (`struct task_struct___old`).
fn roots(types: &Btf<'_>, ext: &[u8]) -> Vec<String> {
    let names = core_relos(types, ext).into_iter().map(|relo| types.name(types.resolve(relo.root)));
    let plain = names.map(|name| name.split_once("___").map_or(name, |(name, _)| name).to_owned());
    plain.filter(|name| !name.is_empty()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A function, unless it takes or gives what the language has no type for.
fn function(types: &Btf<'_>, id: TypeId, span: Span) -> Option<CFunction> {
    let (params, result) = types.prototype(id)?;
    let parameters: Option<Vec<(String, Type)>> =
        params.map(|param| Some((param.name.to_owned(), ty(types, param.ty, span)?))).collect();
    Some(CFunction {
        name: types.name(id).to_owned(),
        parameters: parameters?,
        result: ty(types, result, span)?,
    })
}

fn ty(types: &Btf<'_>, id: TypeId, span: Span) -> Option<Type> {
    let named = |name: String| Type { kind: TypeKind::Named(name), span };
    Some(match types.def(types.resolve(id)) {
        Def::Void => named("void".to_owned()),
        Def::Int { bool: true, .. } => named("bool".to_owned()),
        Def::Int { size, signed, .. } | Def::Enum { size, signed, .. } if matches!(size, 1 | 2 | 4 | 8) => {
            named(format!("{}int{}", if signed { "" } else { "u" }, size * 8))
        }
        // What structures look like is the code's own business.
        Def::Ptr(to) => {
            let to = match types.def(types.resolve(to)) {
                Def::Int { .. } => ty(types, to, span)?,
                _ => named("void".to_owned()),
            };
            Type { kind: TypeKind::Pointer(Box::new(to)), span }
        }
        _ => return None,
    })
}
