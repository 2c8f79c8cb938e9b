//! Showing an event asks for no memory, once the buffers have their sizes.

use std::io::sink;

use btaot_abi::event::{EventKind, Header};
use btaot_abi::metadata::{Argument, Metadata, Printf};
use btaot_abi::value::ValueType;

use super::{I64, U64, metadata, text, tuple};
use crate::render::{Buffering, Format, Output, Renderer, Settings};
use crate::symbols::Names;
use crate::sys::allocations;

/// A type whose values show, and the conversion for it.
fn arguments() -> Vec<(&'static str, ValueType)> {
    let pair = tuple(&[I64, text(8)]);
    vec![
        ("%d", I64),
        ("%-20u|", U64),
        ("%08llx", U64),
        ("%s", text(32)),
        ("%20s", text(16)),
        ("%r", ValueType::Buf { size: 8 }),
        ("%s", ValueType::Inet),
        ("%s", ValueType::Mac),
        ("%s", ValueType::Timestamp),
        ("%p", ValueType::Pointer),
        ("%s", ValueType::Bool),
        ("%s", ValueType::Array { element: Box::new(U64), len: 3 }),
        ("%s", pair),
    ]
}

fn script() -> Metadata {
    let mut metadata = metadata();
    let (mut format, mut placed, mut end) = (String::new(), Vec::new(), Header::SIZE);
    for (conversion, ty) in arguments() {
        format += conversion;
        let offset = end.next_multiple_of(ty.align());
        end = offset + ty.size();
        placed.push(Argument { offset, ty });
    }
    metadata.printf = vec![Printf { format: format.as_str().into(), arguments: placed, size: end }];
    metadata.values = arguments().into_iter().map(|(_, ty)| ty).collect();
    metadata.strftime = vec!["%H:%M:%S.%k".into()];
    metadata.time = vec!["%H:%M:%S".into()];
    metadata
}

/// Shows one event of each kind that a script may send a million times.
fn show(renderer: &mut Renderer<'_>, metadata: &Metadata, record: &[u8]) {
    let mut event = |kind, id| renderer.event(Header { kind, id }, record).expect("renders");
    event(EventKind::Printf, 0);
    event(EventKind::Time, 0);
    (0..metadata.values.len() as u32).for_each(|id| event(EventKind::Value, id));
    renderer.batch_done().expect("writes");
}

#[test]
fn events_allocate_nothing() {
    let metadata = script();
    // Letters, and numbers that are at home in all types: the family of an address is 2 or 10.
    let record: Vec<u8> = (0..1024).map(|byte| if byte % 4 == 0 { 2 } else { 0 }).collect();
    for format in [Format::Text, Format::Json] {
        let output = Output::new(Box::new(sink()), Box::new(sink()), Buffering::Line);
        let names = Names::new(Box::new(|_, _| None), Vec::new(), true);
        let settings = Settings { metadata: &metadata, source: b"", format, warnings: true, boot_time: 0 };
        let mut renderer = Renderer::new(settings, names, output).expect("metadata fits");
        (0..100).for_each(|_| show(&mut renderer, &metadata, &record));
        let before = allocations::so_far();
        (0..1000).for_each(|_| show(&mut renderer, &metadata, &record));
        assert_eq!(allocations::so_far() - before, 0, "{format:?}");
    }
}
