use super::*;
use crate::ast::{CBase, CField, CType, ExprKind};
use crate::source::FileId;

/// Parses a script that has only C items, and an empty probe.
fn items(text: &str) -> std::result::Result<Vec<CItem>, Vec<Diagnostic>> {
    let source = Source::new(FileId(0), "t", format!("{text}\nbegin {{ }}"));
    crate::parse(&source).map(|script| script.c_items)
}

fn first(text: &str) -> CDeclaration {
    match items(text).map(|mut items| items.remove(0)) {
        Ok(CItem::Declaration(declaration)) => declaration,
        other => panic!("{text}: {other:?}"),
    }
}

fn fields(text: &str) -> Vec<CField> {
    match first(text).ty.kind {
        CTypeKind::Record(record) => record.fields.unwrap(),
        other => panic!("{text}: {other:?}"),
    }
}

/// A type in short: `*` pointer, `[]` array, `()` function.
fn short(ty: &CType) -> String {
    match &ty.kind {
        CTypeKind::Base(base) => format!("{base:?}"),
        CTypeKind::Named(name) => name.clone(),
        CTypeKind::Record(record) => record.name.as_ref().map_or("{}".to_owned(), |name| name.text.clone()),
        CTypeKind::Enum(_) => "enum".to_owned(),
        CTypeKind::Pointer(inner) => format!("{}*", short(inner)),
        CTypeKind::Array { element, length } => match length.as_ref().map(|length| &length.kind) {
            Some(ExprKind::Int(number)) => format!("{}[{number}]", short(element)),
            Some(_) => format!("{}[expr]", short(element)),
            None => format!("{}[]", short(element)),
        },
        CTypeKind::Function { result } => format!("{}()", short(result)),
    }
}

fn code(text: &str) -> (Code, u32) {
    let problems = items(text).expect_err(text);
    (problems[0].code, problems[0].span.start)
}

#[test]
fn declarators_read_inside_out() {
    let text = "struct S { int a, *b, c[2][3], *d[4], (*e)[5]; char *(*f[2])(int, char *); struct T *g; long long unsigned h; \
                u32 i; const char *const j; char k[N + 1]; int l[]; };";
    let types: Vec<_> = fields(text).iter().map(|field| short(&field.ty)).collect();
    let expected = [
        "Int",
        "Int*",
        "Int[3][2]",
        "Int*[4]",
        "Int[5]*",
        "Char*()*[2]",
        "T*",
        "UnsignedLongLong",
        "u32",
        "Char*",
        "Char[expr]",
        "Int[]",
    ];
    assert_eq!(types, expected);
}

#[test]
fn bitfields_anonymous_members_and_attributes() {
    let fields = fields(
        "struct S { unsigned a:4, :2, b:8; union { int c; float d; }; short e __attribute__((aligned(8))); } __attribute__((packed));",
    );
    let names: Vec<_> =
        fields.iter().map(|field| field.name.as_ref().map(|name| name.text.as_str())).collect();
    assert_eq!(names, [Some("a"), None, Some("b"), None, Some("e")]);
    assert!(fields[0].bits.is_some() && fields[3].bits.is_none() && fields[4].aligned.is_some());
    let packed = first("struct S { char a; int b; } __attribute__((packed));");
    assert!(matches!(packed.ty.kind, CTypeKind::Record(record) if record.packed));
    let before = first("struct __attribute__((packed)) S { char a; };");
    assert!(matches!(before.ty.kind, CTypeKind::Record(record) if record.packed));
}

#[test]
fn enums_and_typedefs() {
    let CTypeKind::Enum(definition) = first("enum E { A, B = 3, C = B << 1, };").ty.kind else { panic!() };
    assert_eq!(definition.values.unwrap().len(), 3);
    let declaration = first("typedef struct { int a; } pair_t, *pair_p;");
    let names: Vec<_> =
        declaration.typedefs.iter().map(|typedef| (typedef.name.text.as_str(), short(&typedef.ty))).collect();
    assert_eq!(names, [("pair_t", "{}".to_owned()), ("pair_p", "{}*".to_owned())]);
    assert!(matches!(first("typedef unsigned int u_t;").ty.kind, CTypeKind::Base(CBase::UnsignedInt)));
}

#[test]
fn preprocessor_lines() {
    let text = "#include <linux/sched.h>\n#include \"my.h\" // mine\n#define A (1 << 2)\n#define B(x) x \\\n  + 1\n#define T struct foo\n#undef A";
    let items = items(text).unwrap();
    assert!(matches!(&items[0], CItem::Include { path, system: true, .. } if path == b"linux/sched.h"));
    assert!(matches!(&items[1], CItem::Include { path, system: false, .. } if path == b"my.h"));
    assert!(
        matches!(&items[2], CItem::Define(define) if define.value.is_some() && define.body == "(1 << 2)")
    );
    assert!(
        matches!(&items[3], CItem::Define(define) if define.parameters.as_ref().is_some_and(|p| p == &["x"]))
    );
    assert!(matches!(&items[4], CItem::Define(define) if define.value.is_none()));
    assert!(matches!(&items[5], CItem::Undef(name) if name.text == "A"));
}

#[test]
fn conditionals_choose_text() {
    let chosen = |text: &str| -> Vec<String> {
        let defines = items(text).unwrap().into_iter().filter_map(|item| match item {
            CItem::Define(define) => Some(define.body),
            _ => None,
        });
        defines.collect()
    };
    assert_eq!(chosen("#ifdef BPFTRACE_HAVE_BTF\n#define V 1\n#else\n#define V 0\n#endif"), ["1"]);
    assert_eq!(
        chosen("#define X 3\n#if X > 2 && !defined(Y)\n#define V 1\n#elif 1\n#define V 2\n#endif"),
        ["3", "1"]
    );
    assert_eq!(
        chosen("#ifndef BPFTRACE_HAVE_BTF\n#if NONSENSE(1)\n#endif\n#define V 1\n#endif"),
        [] as [&str; 0]
    );
    let inside = fields("struct S {\n#ifdef BPFTRACE_HAVE_BTF\n int a;\n#else\n int b;\n#endif\n};");
    assert_eq!(inside.len(), 1);
    assert_eq!(inside[0].name.as_ref().unwrap().text, "a");
}

#[test]
fn macros_that_are_types_are_replaced() {
    let text = "#define WORD unsigned long\nstruct S { WORD a; };";
    let items = items(text).unwrap();
    let CItem::Declaration(CDeclaration { ty: CType { kind: CTypeKind::Record(record), .. }, .. }) =
        &items[1]
    else {
        panic!()
    };
    assert_eq!(short(&record.fields.as_ref().unwrap()[0].ty), "UnsignedLong");
}

#[test]
fn mistakes_have_places() {
    assert_eq!(code("struct S { int a; } __attribute__(packed);"), (Code::CSyntax, 33));
    assert_eq!(code("struct S { int a }"), (Code::CSyntax, 17));
    assert_eq!(code("struct S { unsigned float a; };"), (Code::CSyntax, 11));
    assert_eq!(code("#if 1\n#define A 1"), (Code::CPreprocessor, 0));
    assert_eq!(code("#endif"), (Code::CPreprocessor, 0));
    assert_eq!(code("#frobnicate"), (Code::CPreprocessor, 1));
    assert_eq!(code("struct S { int a; }; struct S { int b; };"), (Code::CRedefinition, 28));
}
