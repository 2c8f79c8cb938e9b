//! The metadata table of a compiled program.

use btaot_abi::event::RING_MAP;
use btaot_abi::ids::MapId;
use btaot_abi::metadata::{self as abi, MapValue, Metadata, Storage};
use btaot_semantic::program::{Body, Contents, Map, MapStorage, Program};

use super::core::arguments;
use super::error::Result;
use super::lower;
use super::unit::{Unit, layout, map_symbol, row_size, short_symbol};

/// Symbols of the programs: what they attach to, and their number.
pub fn symbol(body: &Body) -> String {
    let kind = body.attach.first().map_or("program", |point| match &point.target {
        abi::Target::Begin => "begin",
        abi::Target::End => "end",
        abi::Target::Interval { .. } => "interval",
        abi::Target::Profile { .. } => "profile",
        abi::Target::Software { .. } => "software",
        abi::Target::Uprobe(uprobe) if uprobe.ret => "uretprobe",
        abi::Target::Uprobe(_) => "uprobe",
        abi::Target::Usdt(_) => "usdt",
        abi::Target::Kprobe(kprobe) if kprobe.ret => "kretprobe",
        abi::Target::Kprobe(_) => "kprobe",
        abi::Target::Tracepoint { .. } => "tracepoint",
        abi::Target::RawTracepoint { .. } => "rawtracepoint",
        abi::Target::Fentry(abi::Fentry { ret, .. })
        | abi::Target::FentryProgram(abi::FentryProgram { ret, .. }) => {
            if *ret {
                "fexit"
            } else {
                "fentry"
            }
        }
        abi::Target::Iter { .. } => "iter",
        abi::Target::SelfSignal { .. } => "self",
        abi::Target::Test { .. } => "test",
        abi::Target::Bench { .. } => "bench",
        abi::Target::Hardware { .. } => "hardware",
        abi::Target::Watchpoint { .. } => "watchpoint",
    });
    format!("{kind}_{}", body.id.0)
}

fn program(program: &Program, body: &Body, unit: &Unit) -> abi::Program {
    abi::Program {
        symbol: symbol(body),
        location: body.location,
        attach: body.attach.clone(),
        identity: lower::identity(body),
        tracepoint: arguments(program, body),
        operands: unit.operands.get(body.id.index()).cloned().flatten(),
        binaries: body.binaries.clone(),
        filters_pid: lower::filters_pid(body),
        rest: lower::is_split(unit, body).then(|| lower::rest_symbol(body)),
    }
}

fn storage(unit: &Unit, number: u32, map: &Map) -> Storage {
    match map.storage {
        MapStorage::Global => {
            let (offset, present) = unit.state.scalar(MapId(number)).unwrap_or_default();
            Storage::Global { offset, present }
        }
        MapStorage::CpuRows => Storage::CpuRows { symbol: map_symbol(map), row: row_size(map) },
        MapStorage::Hash { per_cpu, max_entries, .. } => {
            let short = unit.has_short_keys(MapId(number)).then(|| short_symbol(map));
            Storage::Hash { symbol: map_symbol(map), per_cpu, max_entries, short }
        }
    }
}

fn map(unit: &mut Unit, number: u32, map: &Map) -> Result<abi::Map> {
    let program = unit.program;
    let key = match &map.key {
        Some(key) => Some(layout(key, &mut unit.tables, program, map.location)?),
        None => None,
    };
    let value = match &map.contents {
        Contents::Plain(ty) => MapValue::Plain(layout(ty, &mut unit.tables, program, map.location)?),
        Contents::Aggregate(kind) => MapValue::Aggregate(*kind),
    };
    Ok(abi::Map { name: map.name.clone(), key, value, storage: storage(unit, number, map) })
}

/// Makes sure that every map of the script exists, also one that is only printed.
pub fn define_maps(unit: &mut Unit) -> Result<()> {
    let program = unit.program;
    for (number, map) in (0..).zip(&program.maps) {
        match map.storage {
            MapStorage::Global => {
                unit.state(0);
            }
            MapStorage::CpuRows | MapStorage::Hash { .. } => {
                let id = MapId(number);
                unit.user_map(id, map.location)?;
                if unit.has_short_keys(id) {
                    unit.short_map(id, map.location)?;
                }
            }
        }
    }
    Ok(())
}

/// The table, when all programs are written.
pub fn build(mut unit: Unit) -> Result<Metadata> {
    let source = unit.program;
    let mut maps = Vec::with_capacity(source.maps.len());
    for (number, entry) in (0..).zip(&source.maps) {
        maps.push(map(&mut unit, number, entry)?);
    }
    let ring = unit.uses_map(RING_MAP);
    let scratch = unit.scratch_layout();
    let programs = source.bodies.iter().map(|body| program(source, body, &unit)).collect();
    let tables = unit.tables.finish();
    Ok(Metadata {
        compiler: env!("CARGO_PKG_VERSION").into(),
        script: source.name.clone(),
        arch: unit.options.arch,
        config: source.config.clone(),
        features: unit.options.features.to_vec(),
        positional: source.positional,
        options: source.options.clone(),
        programs,
        maps,
        stack_maps: tables.stack_maps,
        globals: unit.state.globals,
        scratch,
        ring,
        printf: tables.printf,
        actions: tables.actions,
        joins: tables.joins,
        packets: tables.packets,
        values: tables.values,
        time: tables.time,
        strftime: tables.strftime,
        sites: tables.sites,
        constants: tables.constants,
        core: tables.core,
        needs: unit.needs.into_iter().collect(),
    })
}
