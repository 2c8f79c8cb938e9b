//! The renderer as a whole. Expected texts were recorded from the reference implementation: the names of
//! cases are the rows of that record. Where a case has no row, a comment derives its text.

mod allocations;
mod maps;
mod messages;
mod printf;
mod series;
mod values;

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use btaot_abi::arch::Arch;
use btaot_abi::constants::ConstantData;
use btaot_abi::metadata::{Config, CoreNeeds, Globals, Metadata, MissingProbes};
use btaot_abi::value::{Aggregate, ValueType};

use super::{Buffering, Format, Output, RenderError, Renderer, Settings};
use crate::symbols::Names;

const I64: ValueType = ValueType::Int { size: 8, signed: true };
const U64: ValueType = ValueType::Int { size: 8, signed: false };

fn text(size: u32) -> ValueType {
    ValueType::Str { size }
}

fn tuple(types: &[ValueType]) -> ValueType {
    ValueType::Tuple(Aggregate::lay_out(types.iter().map(|ty| (Default::default(), ty.clone()))))
}

fn record(fields: &[(&str, ValueType)]) -> ValueType {
    ValueType::Record(Aggregate::lay_out(fields.iter().map(|(name, ty)| ((*name).into(), ty.clone()))))
}

/// Lays the bytes of fields out as the type says.
fn fields(ty: &ValueType, values: &[&[u8]]) -> Vec<u8> {
    let (ValueType::Tuple(aggregate) | ValueType::Record(aggregate)) = ty else { panic!("no aggregate") };
    let mut bytes = vec![0; aggregate.size as usize];
    for (field, value) in aggregate.fields.iter().zip(values) {
        bytes[field.offset as usize..][..value.len()].copy_from_slice(value);
    }
    bytes
}

fn metadata() -> Metadata {
    Metadata {
        compiler: "test".into(),
        script: "stdin".into(),
        arch: Arch::host(),
        config: Config {
            max_strlen: 1024,
            str_trunc_trailer: "..".into(),
            max_map_keys: 4096,
            print_maps_on_exit: true,
            demangle: true,
            ring_pages: None,
            max_cat_bytes: 10_240,
            missing_probes: MissingProbes::Error,
            license: btaot_abi::Bytes::from("GPL"),
        },
        features: Vec::new(),
        positional: 0,
        options: Vec::new(),
        programs: Vec::new(),
        maps: Vec::new(),
        stack_maps: Vec::new(),
        globals: Globals::default(),
        scratch: None,
        ring: true,
        printf: Vec::new(),
        actions: Vec::new(),
        joins: Vec::new(),
        packets: Vec::new(),
        values: Vec::new(),
        time: Vec::new(),
        strftime: Vec::new(),
        sites: Vec::new(),
        constants: ConstantData::default(),
        core: CoreNeeds::default(),
        needs: Vec::new(),
    }
}

/// A stream whose bytes can be looked at.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).expect("UTF-8")
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a renderer; gives its output and its messages.
fn rendered(
    metadata: &Metadata,
    format: Format,
    run: impl FnOnce(&mut Renderer<'_>) -> Result<(), RenderError>,
) -> (String, String) {
    let (out, messages) = (Shared::default(), Shared::default());
    let output = Output::new(Box::new(out.clone()), Box::new(messages.clone()), Buffering::Full);
    let names = Names::new(Box::new(|_, _| None), Vec::new(), true);
    let source = b"begin { @z = 0; @o = (uint64)1 / (uint64)@z; }\n";
    // 2023-11-14 22:13:20 UTC.
    let settings =
        Settings { metadata, source, format, warnings: true, boot_time: 1_700_000_000_000_000_000 };
    let mut renderer = Renderer::new(settings, names, output).expect("metadata fits");
    run(&mut renderer).expect("renders");
    renderer.flush().expect("writes");
    (out.text(), messages.text())
}
