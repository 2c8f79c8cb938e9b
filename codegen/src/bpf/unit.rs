//! What all programs of one object share: the module, the tables, global data and map
//! definitions.

use std::collections::BTreeSet;

use btaot_abi::Bytes;
use btaot_abi::constants::{INT_SECTION, IntSource, STR_SECTION, StrSource};
use btaot_abi::ids::MapId;
use btaot_abi::metadata::{GLOBALS_SECTION, Globals, Need, SCRATCH_MAP, SHORT_KEY, Scratch};
use btaot_abi::operand::{OPERAND_SECTION, OPERAND_WORDS, OperandTable, OperandWord};
use btaot_abi::value::ValueType;
use btaot_semantic::program::{
    Body, Contents, Context as ProgramContext, EventValue, ExprKind, Location, Map, MapStorage, Message,
    Names, Program, Stmt, StmtKind,
};
use btaot_semantic::types::{StructId, Type};
use indexmap::{IndexMap, IndexSet};
use inkwell::attributes::{Attribute, AttributeLoc};
use inkwell::module::Linkage;
use inkwell::types::BasicTypeEnum;
use inkwell::values::GlobalValue;

use super::core::{self, Core, FieldInfo, Path};
use super::define::{Definition, MapKind};
use super::describe;
use super::error::{CodegenError, Result};
use super::walk;
use super::{DIVISIONS, Division, Options};
use crate::bundle::tables::Tables;
use crate::llvm::debug::{Debug, Member, Node, relocation_name};
use crate::llvm::ir::Ir;
use crate::llvm::object::replace_global;
use crate::llvm::{Context, Function, Int, Module, Ptr};

/// Slots of scratch memory for each CPU: a power of two, as many as contexts may nest.
pub const SCRATCH_SLOTS: u32 = 8;
/// The bitmap of claimed slots and what pads it to a cache line.
pub const SCRATCH_HEADER: u32 = 64;

/// ELF section of the texts for numbers.
const NAMES_SECTION: &str = ".rodata.names";

/// Stand-in for the bytes of a slot.
const SLOT_SIZE: &str = "scratch_slot";

/// The object being made.
pub struct Unit<'a, 'c> {
    /// The typed program.
    pub program: &'a Program,
    /// What the user asked for.
    pub options: &'a Options<'a>,
    /// LLVM's context.
    pub context: &'c Context,
    /// The module.
    pub module: &'a Module<'c>,
    /// Writes instructions.
    pub ir: &'a Ir<'c>,
    /// Writes debug information.
    pub debug: &'a Debug<'c>,
    /// The numbers shared with the runtime.
    pub tables: Tables,
    /// The local types of CO-RE relocations.
    pub core: Core<'a>,
    /// Where scalars and counters stand.
    pub state: State,
    /// How programs divide their stack.
    pub division: Division,
    /// What the script's messages ask of each other.
    pub traffic: Traffic,
    /// Maps that some program uses as a whole.
    gone_through: BTreeSet<MapId>,
    /// Bytes of scratch that the hungriest program needs.
    pub scratch: u32,
    /// Arguments of static probes that each program reads, by its number.
    pub operands: Vec<Option<OperandTable>>,
    /// Helpers that the programs cannot do without.
    pub needs: IndexSet<Need>,
    maps: IndexMap<String, Definition>,
    data: IndexMap<&'static str, GlobalValue<'c>>,
}

/// What the script's messages ask of each other: a script that never exits need not look for that,
/// and one without control messages need not keep room for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// Some program calls `exit()`.
    pub exits: bool,
    /// Some program steers the runtime.
    pub controls: bool,
}

impl Traffic {
    fn of(program: &Program) -> Self {
        let mut traffic = Self::default();
        for body in &program.bodies {
            walk::messages(body, &mut |message| match message {
                Message::Exit(_) => traffic = Self { exits: true, controls: true },
                Message::PrintMap { .. }
                | Message::ClearMap(_)
                | Message::ZeroMap(_)
                | Message::Unwatch(_) => traffic.controls = true,
                Message::Printf { .. }
                | Message::Action { .. }
                | Message::Join { .. }
                | Message::Value(_)
                | Message::Time(_) => {}
            });
        }
        traffic
    }
}

/// The layout of the global state.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Fields by name, with offset and layout; padding is implied.
    fields: Vec<(String, u32, ValueType)>,
    /// Offsets of value and mark of the scalar maps, by map number.
    scalars: IndexMap<u32, (u32, u32)>,
    /// What the metadata says.
    pub globals: Globals,
    zeros: u32,
}

const WORD: ValueType = ValueType::Int { size: 8, signed: false };

impl State {
    fn push(&mut self, name: String, ty: ValueType) -> u32 {
        let offset = self.globals.size.next_multiple_of(ty.align());
        self.globals.size = offset + ty.size();
        self.fields.push((name, offset, ty));
        offset
    }

    /// Lays the state out: the exit mark, the losses, then each scalar with its mark.
    fn plan(program: &Program, tables: &mut Tables) -> Result<Self> {
        let mut state = Self::default();
        state.globals.exiting = state.push("exiting".into(), WORD);
        let losses = ValueType::Array { element: Box::new(WORD), len: program.bodies.len() as u32 };
        state.globals.lost = state.push("lost".into(), losses);
        for (number, map) in (0..).zip(&program.maps) {
            if let (MapStorage::Global, Contents::Plain(ty)) = (map.storage, &map.contents) {
                let ty = layout(ty, tables, program, map.location)?;
                let name = format!("{}_", map.name.display().trim_start_matches('@'));
                // Marks and values are words, or at least aligned like them.
                state.globals.size = state.globals.size.next_multiple_of(8);
                let value = state.push(format!("{name}value"), ty);
                let present = state.push(format!("{name}set"), WORD);
                state.scalars.insert(number, (value, present));
            }
        }
        state.globals.size = state.globals.size.next_multiple_of(8);
        Ok(state)
    }

    /// Offsets of a scalar's value and mark.
    pub fn scalar(&self, map: MapId) -> Option<(u32, u32)> {
        self.scalars.get(&map.0).copied()
    }
}

/// The symbol of a user's map.
pub fn map_symbol(map: &Map) -> String {
    format!("at_{}", map.name.display().trim_start_matches('@'))
}

/// The symbol of the map of a user's map's entries with short keys.
pub fn short_symbol(map: &Map) -> String {
    format!("short_{}", map.name.display().trim_start_matches('@'))
}

/// The maps of which a program goes through all entries, asks for their number, or gives the address to C code.
fn gone_through(program: &Program) -> BTreeSet<MapId> {
    let mut maps = BTreeSet::new();
    for body in &program.bodies {
        walk::body(body, &mut |expression| {
            if let ExprKind::MapLen(map) | ExprKind::MapAddress(map) = &expression.kind {
                maps.insert(*map);
            }
        });
        walk::statements(&body.statements, &mut |node| {
            if let walk::Node::Statement(Stmt { kind: StmtKind::ForMap { map, .. }, .. }) = node {
                maps.insert(*map);
            }
        });
    }
    maps
}

/// Bytes of a row of a keyless aggregation: rows of two CPUs share no cache line.
pub fn row_size(map: &Map) -> u32 {
    match map.contents {
        Contents::Aggregate(kind) => kind.size().next_multiple_of(64),
        Contents::Plain(_) => 64,
    }
}

/// The layout of a type, or an error at the place that needs one.
pub fn layout(ty: &Type, tables: &mut Tables, program: &Program, location: Location) -> Result<ValueType> {
    tables.value_type(ty, &program.structs).ok_or_else(|| CodegenError::Unsupported {
        location,
        what: "a value of this type cannot be kept: it is void or a structure with bit fields; \
               select a member"
            .into(),
    })
}

impl<'a, 'c> Unit<'a, 'c> {
    /// An object without programs.
    pub fn new(
        program: &'a Program,
        options: &'a Options<'a>,
        context: &'c Context,
        module: &'a Module<'c>,
        (ir, debug): (&'a Ir<'c>, &'a Debug<'c>),
    ) -> Result<Self> {
        let mut tables = Tables::default();
        let state = State::plan(program, &mut tables)?;
        Ok(Self {
            program,
            options,
            context,
            module,
            ir,
            debug,
            core: Core::new(program),
            tables,
            division: DIVISIONS[0],
            traffic: Traffic::of(program),
            state,
            gone_through: gone_through(program),
            scratch: 0,
            operands: operand_tables(program),
            needs: IndexSet::new(),
            maps: IndexMap::new(),
            data: IndexMap::new(),
        })
    }

    /// The global of a section whose size becomes known at the end: until then a stand-in.
    fn section(&mut self, section: &'static str) -> Ptr<'c> {
        let (module, context) = (self.module, self.context);
        self.data
            .entry(section)
            .or_insert_with(|| module.add_global(context.i8_type(), None, section))
            .as_pointer_value()
    }

    /// The address of an integer slot.
    pub fn int_slot(&mut self, source: IntSource) -> Ptr<'c> {
        let slot = self.tables.int_slot(source);
        let base = self.section(INT_SECTION);
        self.ir.offset(base, u64::from(slot.0) * 8)
    }

    /// The address of a string slot.
    pub fn str_slot(&mut self, source: StrSource) -> Ptr<'c> {
        let slot = self.tables.str_slot(source);
        let base = self.section(STR_SECTION);
        self.ir.offset(base, u64::from(slot.0) * u64::from(self.program.config.max_strlen))
    }

    /// The address of a byte of the global state.
    pub fn state(&mut self, offset: u32) -> Ptr<'c> {
        let base = self.section(GLOBALS_SECTION);
        self.ir.offset(base, offset.into())
    }

    /// The address of a word of what is known of an argument of a static probe.
    pub fn operand(&mut self, row: u32, word: OperandWord) -> Ptr<'c> {
        let base = self.section(OPERAND_SECTION);
        self.ir.offset(base, u64::from((row * OPERAND_WORDS + word as u32) * 8))
    }

    /// The texts of a table, and how many there are. The last one is for numbers without a text of their own.
    pub fn names(&mut self, names: Names) -> (Ptr<'c>, u32) {
        let table = super::names::table(names, self.options.arch);
        let symbol = match names {
            Names::Errors => "error_names",
            Names::Signals => "signal_names",
            Names::Syscalls => "syscall_names",
        };
        if let Some(found) = self.module.get_global(symbol) {
            return (found.as_pointer_value(), table.len() as u32);
        }
        let bytes = super::names::bytes(&table);
        let contents = self.context.const_string(&bytes, false);
        let global = self.module.add_global(contents.get_type(), None, symbol);
        global.set_initializer(&contents);
        global.set_section(Some(NAMES_SECTION));
        global.set_alignment(8);
        global.set_constant(true);
        let ty = self.debug.array(self.debug.char(), 1, bytes.len() as u32);
        self.debug.global(global, symbol, ty);
        (global.as_pointer_value(), table.len() as u32)
    }

    /// At least that many zero bytes that nobody writes: the first value of map entries.
    pub fn zeros(&mut self, bytes: u32) -> Ptr<'c> {
        self.state.zeros = self.state.zeros.max(bytes.next_multiple_of(8));
        // They stand behind everything else, so their place does not depend on their number.
        self.state(self.state.globals.size)
    }

    /// The map with this symbol, defined on first use.
    pub fn map(&mut self, symbol: &str, definition: impl FnOnce() -> Definition) -> Ptr<'c> {
        if let Some(found) = self.module.get_global(symbol) {
            return found.as_pointer_value();
        }
        let definition = definition();
        let global = definition.declare(self.context, self.module, self.debug, symbol);
        self.maps.insert(symbol.into(), definition);
        global.as_pointer_value()
    }

    /// The eBPF map behind a user's map.
    pub fn user_map(&mut self, id: MapId, location: Location) -> Result<Ptr<'c>> {
        let definition = self.definition(id, location)?;
        let symbol = map_symbol(&self.program.maps[id.index()]);
        Ok(self.map(&symbol, || definition))
    }

    fn definition(&mut self, id: MapId, location: Location) -> Result<Definition> {
        let map = &self.program.maps[id.index()];
        let definition = match map.storage {
            MapStorage::Global => {
                return Err(CodegenError::Unsupported {
                    location,
                    what: "a scalar is not in an eBPF map".into(),
                });
            }
            MapStorage::CpuRows => Definition::array(row_size(map)),
            MapStorage::Hash { per_cpu, lru, max_entries } => {
                let kind = match (per_cpu, lru) {
                    (false, false) => MapKind::Hash,
                    (true, false) => MapKind::PercpuHash,
                    (false, true) => MapKind::LruHash,
                    (true, true) => MapKind::LruPercpuHash,
                };
                let key = map.key.as_ref().unwrap_or(&Type::U64);
                let key = Some(layout(key, &mut self.tables, self.program, map.location)?);
                let value = Some(match &map.contents {
                    Contents::Plain(ty) => layout(ty, &mut self.tables, self.program, map.location)?,
                    Contents::Aggregate(kind) => {
                        let words = kind.words();
                        ValueType::Array { element: Box::new(WORD), len: words }
                    }
                });
                Definition { kind, max_entries, key, value }
            }
        };
        Ok(definition)
    }

    /// Whether entries of a map with short keys are in a map of their own. Not when a program goes through all
    /// entries: it would go through two maps.
    pub fn has_short_keys(&self, id: MapId) -> bool {
        let map = &self.program.maps[id.index()];
        let long = matches!(map.key, Some(Type::Str(size)) if size > SHORT_KEY);
        long && matches!(map.storage, MapStorage::Hash { .. }) && !self.gone_through.contains(&id)
    }

    /// The eBPF map of the entries with short keys.
    pub fn short_map(&mut self, id: MapId, location: Location) -> Result<Ptr<'c>> {
        let mut definition = self.definition(id, location)?;
        definition.key = Some(ValueType::Str { size: SHORT_KEY });
        let symbol = short_symbol(&self.program.maps[id.index()]);
        Ok(self.map(&symbol, || definition))
    }

    /// The variable that stands for what the target's BTF tells of a member.
    pub fn member_relocation(&mut self, path: &Path, what: FieldInfo) -> Ptr<'c> {
        let root = self.core.structure(path.root, self.debug);
        self.relocation(&path.relocation(what), root)
    }

    /// The variable that stands for the target's size of a structure.
    pub fn size_relocation(&mut self, id: StructId) -> Ptr<'c> {
        let structure = &self.program.structs[id];
        let root = self.core.structure(id, self.debug);
        self.relocation(&core::size_relocation(structure), root)
    }

    /// The variable that stands for the target's value of an enumerator.
    pub fn enumerator_relocation(&mut self, name: &Bytes, variant: &Bytes, value: i64) -> Ptr<'c> {
        let root = self.debug.enumeration(name, 4, value < 0, &[(variant, value)]);
        self.relocation(&core::enumerator_relocation(name, variant, value), root)
    }

    fn relocation(&mut self, name: &str, root: Node) -> Ptr<'c> {
        if let Some(found) = self.module.get_global(name) {
            return found.as_pointer_value();
        }
        let number = self.core.next_relocation();
        let Some(stand_in) = self.module.get_global(&relocation_name(number)) else {
            panic!("bug in code generation: more than {number} relocations");
        };
        self.debug.relocation(stand_in, name, root);
        stand_in.as_pointer_value()
    }

    /// Gives a function the attributes that all have.
    pub fn mark(&self, function: Function<'c>) {
        let kind = Attribute::get_named_enum_kind_id("nounwind");
        function.add_attribute(AttributeLoc::Function, self.context.create_enum_attribute(kind, 0));
        if !self.options.c_code.is_empty() {
            // Line information names no file but the script: lines of C code that is inlined are those of its call.
            let attribute = self.context.create_string_attribute("no-inline-line-tables", "");
            function.add_attribute(AttributeLoc::Function, attribute);
        }
    }

    /// The first parameter of a program.
    pub fn parameter(&self, function: Function<'c>) -> Ptr<'c> {
        match function.get_first_param() {
            Some(parameter) => parameter.into_pointer_value(),
            None => self.ir.null(),
        }
    }

    /// Whether a map with this symbol is used.
    pub fn uses_map(&self, symbol: &str) -> bool {
        self.maps.contains_key(symbol)
    }

    /// The scratch map. Its size is only known at the end; the value is looked up by address, so
    /// the definition may follow.
    pub fn scratch_map(&mut self) -> Ptr<'c> {
        self.section(SCRATCH_MAP)
    }

    /// The bytes of a slot of scratch memory. Programs share the slots, so the number depends on
    /// all of them: until then it is the address of a stand-in.
    pub fn scratch_slot(&mut self) -> Int<'c> {
        let stand_in = self.section(SLOT_SIZE);
        self.ir.address(stand_in)
    }

    /// What the metadata says of scratch memory.
    pub fn scratch_layout(&self) -> Option<Scratch> {
        (self.scratch > 0).then(|| Scratch { slot: self.scratch.next_multiple_of(64), slots: SCRATCH_SLOTS })
    }

    /// Defines what was used through stand-ins, when all programs are written.
    pub fn finish(&mut self) {
        if let Some(stand_in) = self.data.get(SCRATCH_MAP).copied()
            && let Some(Scratch { slot, slots }) = self.scratch_layout()
        {
            let value = SCRATCH_HEADER + slot * slots;
            let definition = Definition::array(value);
            let global = definition.declare(self.context, self.module, self.debug, SCRATCH_MAP);
            replace(stand_in, global, SCRATCH_MAP);
            if let Some(stand_in) = self.data.get(SLOT_SIZE) {
                let pointer = self.context.ptr_type(Default::default());
                let size = self.ir.i64(slot.into()).const_to_pointer(pointer);
                replace_global(*stand_in, size);
            }
        }
        for section in [INT_SECTION, STR_SECTION, OPERAND_SECTION, GLOBALS_SECTION] {
            if let Some(stand_in) = self.data.get(section).copied() {
                self.define_section(section, stand_in);
            }
        }
        if !self.data.contains_key(GLOBALS_SECTION) {
            self.state.globals = Globals::default();
        }
        let text = &self.program.config.license;
        let license = self.context.const_string(text, true);
        let global = self.module.add_global(license.get_type(), None, "LICENSE");
        global.set_initializer(&license);
        global.set_section(Some("license"));
        let ty = self.debug.array(self.debug.char(), 1, text.len() as u32 + 1);
        self.debug.global(global, "LICENSE", ty);
    }

    fn define_section(&mut self, section: &'static str, stand_in: GlobalValue<'c>) {
        let (name, bytes, ty) = match section {
            INT_SECTION => self.describe_ints(),
            STR_SECTION => self.describe_strings(),
            OPERAND_SECTION => self.describe_operands(),
            _ => self.describe_state(),
        };
        let words: BasicTypeEnum = self.context.i64_type().array_type(bytes.div_ceil(8)).into();
        let global = self.module.add_global(words, None, "");
        global.set_initializer(&words.const_zero());
        global.set_section(Some(section));
        global.set_alignment(8);
        global.set_linkage(Linkage::External);
        if section != GLOBALS_SECTION {
            // Read-only, but not zero: the runtime fills it in before the program is loaded.
            global.set_constant(true);
            global.set_externally_initialized(true);
        }
        self.debug.global(global, name, ty);
        replace(stand_in, global, name);
    }

    fn describe_ints(&self) -> (&'static str, u32, Node) {
        let word = self.debug.int(8, true);
        let names: Vec<String> = self.tables.int_slots().map(describe::int_slot).collect();
        let member = |(index, name): (u64, &String)| -> (u64, Vec<u8>) { (index, name.as_bytes().to_vec()) };
        let names: Vec<(u64, Vec<u8>)> = (0..).zip(&names).map(member).collect();
        let members: Vec<Member> = names
            .iter()
            .map(|(index, name)| Member { name, ty: word, bits: 64, offset: index * 64, bit_field: false })
            .collect();
        let bytes = members.len() as u32 * 8;
        ("constants", bytes, self.debug.structure(b"constants", false, bytes, &members))
    }

    fn describe_strings(&self) -> (&'static str, u32, Node) {
        let size = self.program.config.max_strlen;
        let text = self.debug.array(self.debug.char(), 1, size);
        let names: Vec<String> = self.tables.str_slots().map(describe::str_slot).collect();
        let bits = u64::from(size) * 8;
        let members: Vec<Member> = (0..)
            .zip(&names)
            .map(|(index, name): (u64, _)| Member {
                name: name.as_bytes(),
                ty: text,
                bits,
                offset: index * bits,
                bit_field: false,
            })
            .collect();
        let bytes = members.len() as u32 * size;
        ("texts", bytes, self.debug.structure(b"texts", false, bytes, &members))
    }

    fn describe_operands(&self) -> (&'static str, u32, Node) {
        let bytes = self.operands.iter().flatten().map(OperandTable::size).sum();
        ("operands", bytes, self.debug.array(self.debug.int(8, false), 8, bytes / 8))
    }

    fn describe_state(&mut self) -> (&'static str, u32, Node) {
        let zeros = self.state.zeros;
        let zeros_offset = self.state.globals.size;
        if zeros > 0 {
            let ty = ValueType::Array { element: Box::new(WORD), len: zeros / 8 };
            self.state.fields.push(("zeros".into(), zeros_offset, ty));
            self.state.globals.size += zeros;
        }
        let members: Vec<Member> = self
            .state
            .fields
            .iter()
            .map(|(name, offset, ty)| Member {
                name: name.as_bytes(),
                ty: describe::value(self.debug, ty),
                bits: u64::from(ty.size()) * 8,
                offset: u64::from(*offset) * 8,
                bit_field: false,
            })
            .collect();
        let bytes = self.state.globals.size;
        ("state", bytes, self.debug.structure(b"state", false, bytes, &members))
    }
}

/// The arguments of static probes that programs read, one program behind the other.
fn operand_tables(program: &Program) -> Vec<Option<OperandTable>> {
    let mut offset = 0;
    let table = |body: &Body| {
        let mut arguments = BTreeSet::new();
        walk::body(body, &mut |expression| {
            if let ExprKind::Event(EventValue::Argument(number)) = expression.kind {
                arguments.insert(number);
            }
        });
        if body.context != ProgramContext::Usdt || arguments.is_empty() {
            return None;
        }
        let table = OperandTable { offset, arguments: arguments.into_iter().collect() };
        offset += table.size();
        Some(table)
    };
    program.bodies.iter().map(table).collect()
}

/// Puts the definition in the place of its stand-in.
fn replace<'c>(stand_in: GlobalValue<'c>, global: GlobalValue<'c>, name: &str) {
    replace_global(stand_in, global.as_pointer_value());
    global.set_name(name);
}
