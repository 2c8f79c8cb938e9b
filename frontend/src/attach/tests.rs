use super::*;
use crate::ast::{RateUnit, Site};
use crate::source::FileId;

fn parsed(text: &str) -> Result<AttachPoint> {
    let source = Source::new(FileId(0), "t", text);
    parse(&source, source.span(0, text.len()))
}

fn target(text: &str) -> AttachTarget {
    parsed(text).unwrap_or_else(|problem| panic!("{text}: {}", problem.message)).target
}

fn code(text: &str) -> Code {
    parsed(text).err().unwrap_or_else(|| panic!("{text} must be rejected")).code
}

#[test]
fn quotes_protect_separators_and_vanish() {
    let point = parsed(r#"uprobe:"/a b:c":cpp:"N::f(int)""#).unwrap();
    let texts: Vec<_> = point.parts.iter().map(|part| part.lossy().into_owned()).collect();
    assert_eq!(texts, ["uprobe", "/a b:c", "cpp", "N::f(int)"]);
    assert_eq!((point.parts[1].span.start, point.parts[1].span.end), (7, 15));
    assert!(matches!(point.target, AttachTarget::Uprobe { cpp: true, .. }));
}

#[test]
fn providers_ignore_case_and_have_short_names() {
    assert_eq!(target("BEGIN").kind(), Some(ProbeKind::Begin));
    assert_eq!(target("KfUnc:f").kind(), Some(ProbeKind::Fentry));
    assert_eq!(target("U:/bin/sh:x").kind(), Some(ProbeKind::Usdt));
    assert_eq!(target("u:/bin/sh:x").kind(), Some(ProbeKind::Uprobe));
    assert!(matches!(target("k*probe:f"), AttachTarget::Unexpanded));
    assert_eq!(code("zz*:x"), Code::UnknownProvider);
    assert_eq!(code("foo:bar"), Code::UnknownProvider);
}

#[test]
fn sites() {
    let site = |text| match target(text) {
        AttachTarget::Kprobe { site, .. } | AttachTarget::Uprobe { site, .. } => site,
        other => panic!("{other:?}"),
    };
    assert!(matches!(site("kprobe:f+0x10"), Site::Function { offset: 16, .. }));
    assert!(matches!(site("kprobe:0xffff"), Site::Address(0xffff)));
    assert!(matches!(site("uprobe:./a@x.c:12:3"), Site::Line { line: 12, column: Some(3), .. }));
    assert!(matches!(site("uprobe:./a:memcpy@@GLIBC_2.14"), Site::Function { offset: 0, .. }));
    assert_eq!(code("kretprobe:f+4"), Code::BadAttachPart);
    assert_eq!(code("kprobe:f*+4"), Code::WildcardNotAllowed);
}

#[test]
fn timers() {
    let rate = |text| match target(text) {
        AttachTarget::Interval(rate) | AttachTarget::Profile(rate) => (rate.unit, rate.value),
        other => panic!("{other:?}"),
    };
    assert_eq!(rate("i:ms:20"), (RateUnit::Milliseconds, 20));
    assert_eq!(rate("interval:10ms"), (RateUnit::Microseconds, 10_000));
    assert_eq!(rate("profile:hz:99"), (RateUnit::Hertz, 99));
    for text in ["interval:10", "interval:ms:abc", "interval:hz:0", "interval:ns:5000", "profile:99"] {
        assert_eq!(code(text), Code::BadAttachPart, "{text}");
    }
}

#[test]
fn wrong_number_of_parts() {
    for text in ["kprobe", "begin:x", "fentry:bpf", "fentry:a:b:c", "iter:a:b:c", "uprobe", "tracepoint:a"] {
        assert_eq!(code(text), Code::AttachPointParts, "{text}");
    }
    assert_eq!(code("software:nonsense"), Code::UnknownPerfEvent);
    assert_eq!(code("software:cpu*"), Code::WildcardNotAllowed);
    assert_eq!(code("software:faults:-5"), Code::BadAttachPart);
    assert_eq!(code("watchpoint:0x10:3:w"), Code::BadAttachPart);
}

#[test]
fn positional_parameters_wait_for_their_values() {
    let point = parsed("name=interval:ms:$1").unwrap();
    assert!(matches!(point.target, AttachTarget::Unexpanded));
    assert_eq!(point.positionals.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1]);
    let filled = with_parameters(&point, |_| b"5".to_vec()).unwrap();
    assert!(matches!(filled.target, AttachTarget::Interval(rate) if rate.value == 5));
    assert_eq!(filled.name.unwrap().text, "name");
    assert!(with_parameters(&point, |_| Vec::new()).is_err());
    let whole = with_parameters(&parsed("$1").unwrap(), |_| b"i:ms:1".to_vec()).unwrap();
    assert_eq!(whole.target.kind(), Some(ProbeKind::Interval));
    assert_eq!(code("kprobe:$0"), Code::BadPositional);
    assert_eq!(code("kprobe:$x"), Code::BadPositional);
}
