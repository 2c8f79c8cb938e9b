//! One object that is being made: its LLVM module, and what the functions in it refer to.

use super::abi::{self, Lddw};
use super::debug::Debug;
use super::object::{Data, DataKind, Object, Place, Target};
use super::slots::Slots;
use btaot_abi::code::Slot;
use inkwell::attributes::{Attribute, AttributeLoc};
use inkwell::context::Context;
use inkwell::intrinsics::Intrinsic;
use inkwell::module::{Linkage, Module};
use inkwell::types::{BasicType, BasicTypeEnum, FunctionType, IntType, PointerType, StructType};
use inkwell::values::{BasicValue, BasicValueEnum, FunctionValue, GlobalValue, PointerValue};
use inkwell::{AddressSpace, GlobalVisibility};
use std::collections::{BTreeMap, btree_map};

/// What all functions of an object share.
pub(super) struct Unit<'u, 'ctx> {
    /// The context of all types and values.
    pub context: &'ctx Context,
    /// The module that is filled.
    pub module: Module<'ctx>,
    /// The line table.
    pub debug: Debug<'u, 'ctx>,
    object: &'u Object,
    /// Functions that code calls or takes the address of.
    locals: BTreeMap<Place, FunctionValue<'ctx>>,
    /// Those of them that have no code yet.
    pending: Vec<Place>,
    /// The sections with variables that code refers to.
    data: BTreeMap<usize, GlobalValue<'ctx>>,
    /// Those of them that have no contents yet.
    empty: Vec<usize>,
    /// Instructions whose CO-RE relocation found nothing, as calls of functions that nobody defines.
    unrelocated: BTreeMap<Place, FunctionValue<'ctx>>,
    /// Where the code of a tool finds what is known at load time only; none for other objects.
    pub slots: Option<Slots<'u>>,
}

impl<'u, 'ctx> Unit<'u, 'ctx> {
    pub fn new(
        context: &'ctx Context,
        module: Module<'ctx>,
        object: &'u Object,
        debug: Debug<'u, 'ctx>,
    ) -> Self {
        let (locals, data, unrelocated) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (pending, empty) = (Vec::new(), Vec::new());
        Self { context, module, debug, object, locals, pending, data, empty, unrelocated, slots: None }
    }

    /// What the instructions of a section refer to, by slot.
    pub fn targets(&self, section: usize) -> &'u BTreeMap<usize, Target> {
        static NONE: BTreeMap<usize, Target> = BTreeMap::new();
        self.object.code.get(section).map_or(&NONE, |code| &code.targets)
    }

    /// The next function that is referred to and has no code yet.
    pub fn next_pending(&mut self) -> Option<(Place, FunctionValue<'ctx>)> {
        let place = self.pending.pop()?;
        self.locals.get(&place).map(|function| (place, *function))
    }

    /// Whether a function is referred to and has no code yet.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The slot for an instruction of a tool that has a CO-RE relocation; none for other instructions.
    pub fn load_time_value(&mut self, place: Place) -> Option<PointerValue<'ctx>> {
        self.slots.as_ref().filter(|slots| slots.is_load_time(place))?;
        let section = self.object.code.get(place.section)?.index;
        Some(self.slot(Slot::Instruction { section, offset: place.slot as u64 * 8 }))
    }

    /// Whether an instruction of a tool has a CO-RE relocation.
    pub fn is_load_time(&self, place: Place) -> bool {
        self.slots.as_ref().is_some_and(|slots| slots.is_load_time(place))
    }

    /// The slot that the code of a tool finds a map or a section of variables in.
    pub fn target_slot(&mut self, target: &Target) -> Option<PointerValue<'ctx>> {
        self.slots.as_ref()?;
        let slot = match target {
            Target::Map(index) => Slot::Map(self.object.maps.get(*index)?.name.clone()),
            Target::Data(section, _) => Slot::Data(self.object.data.get(*section)?.name.clone()),
            Target::Function(_) | Target::Extern(_) => return None,
        };
        Some(self.slot(slot))
    }

    /// A slot, as a constant that is reached directly.
    fn slot(&mut self, slot: Slot) -> PointerValue<'ctx> {
        let name = self.slots.get_or_insert_default().symbol(slot);
        let global = self.module.get_global(&name).unwrap_or_else(|| {
            let global = self.module.add_global(self.i64(), None, &name);
            global.set_constant(true);
            global.set_visibility(GlobalVisibility::Hidden);
            global.set_alignment(8);
            global
        });
        global.as_pointer_value()
    }

    /// What is called in place of an instruction that must never run.
    pub fn unrelocated(&mut self, place: Place) -> FunctionValue<'ctx> {
        let name = format!("__btaot_unrelocated_{}_{}", place.section, place.slot);
        let function = self.declare(&name, self.numbers_type(5));
        self.unrelocated.insert(place, function);
        function
    }

    /// The first such instruction that the module still reaches.
    pub fn surviving_unrelocated(&self) -> Option<Place> {
        self.unrelocated.keys().copied().find(|place| {
            let name = format!("__btaot_unrelocated_{}_{}", place.section, place.slot);
            let function = self.module.get_function(&name);
            function.is_some_and(|function| {
                function.as_global_value().as_pointer_value().get_first_use().is_some()
            })
        })
    }

    pub fn int(&self, bits: u32) -> IntType<'ctx> {
        match bits {
            8 => self.context.i8_type(),
            16 => self.context.i16_type(),
            32 => self.context.i32_type(),
            _ => self.context.i64_type(),
        }
    }

    pub fn i64(&self) -> IntType<'ctx> {
        self.context.i64_type()
    }

    pub fn ptr(&self) -> PointerType<'ctx> {
        self.context.ptr_type(AddressSpace::default())
    }

    /// `uint64_t (void *ctx, uint64_t size)`.
    pub fn program_type(&self) -> FunctionType<'ctx> {
        self.i64().fn_type(&[self.ptr().into(), self.i64().into()], false)
    }

    /// `uint64_t (uint64_t, …)` with `count` parameters.
    fn numbers_type(&self, count: usize) -> FunctionType<'ctx> {
        self.i64().fn_type(&vec![self.i64().into(); count], false)
    }

    /// Adds a function of this object.
    pub fn define(&self, name: &str, kind: FunctionType<'ctx>, linkage: Linkage) -> FunctionValue<'ctx> {
        let function = self.module.add_function(name, kind, Some(linkage));
        // Without unwinding there is no .eh_frame, and without jump tables no data behind the code's back.
        self.attribute(function, "nounwind", 0);
        let no_tables = self.context.create_string_attribute("no-jump-tables", "true");
        function.add_attribute(AttributeLoc::Function, no_tables);
        function
    }

    /// Keeps a function apart from its callers.
    pub fn forbid_inlining(&self, function: FunctionValue<'ctx>) {
        self.attribute(function, "noinline", 0);
    }

    fn attribute(&self, function: FunctionValue<'ctx>, name: &str, value: u64) {
        let kind = Attribute::get_named_enum_kind_id(name);
        function.add_attribute(AttributeLoc::Function, self.context.create_enum_attribute(kind, value));
    }

    fn declare(&self, name: &str, kind: FunctionType<'ctx>) -> FunctionValue<'ctx> {
        self.module.get_function(name).unwrap_or_else(|| {
            let function = self.module.add_function(name, kind, Some(Linkage::External));
            self.attribute(function, "nounwind", 0);
            function
        })
    }

    /// The function of the object that starts at a place.
    pub fn local(&mut self, place: Place) -> FunctionValue<'ctx> {
        if let Some(function) = self.locals.get(&place) {
            return *function;
        }
        let code = self.object.code.get(place.section);
        let named = code.and_then(|code| code.functions.iter().find(|function| function.slot == place.slot));
        // A dot keeps the name apart from every symbol that C can refer to.
        let name = match named {
            Some(function) => format!("local.{}", function.name),
            None => format!("local.{}.{}", place.section, place.slot),
        };
        let function = self.define(&name, self.numbers_type(5), Linkage::Internal);
        self.locals.insert(place, function);
        self.pending.push(place);
        function
    }

    /// A helper.
    pub fn helper(&self, number: u32) -> FunctionValue<'ctx> {
        self.declare(&abi::helper(number), self.numbers_type(5))
    }

    /// A function that the object does not define.
    pub fn external(&self, name: &str) -> FunctionValue<'ctx> {
        self.declare(name, self.numbers_type(5))
    }

    /// A variable that the object does not define.
    pub fn external_variable(&self, name: &str) -> PointerValue<'ctx> {
        let global = self.module.get_global(name);
        global
            .unwrap_or_else(|| self.module.add_global(self.context.i8_type(), None, name))
            .as_pointer_value()
    }

    /// `int64_t __btaot_packet_load(void *ctx, int64_t offset, uint64_t bytes)`.
    pub fn packet_helper(&self) -> FunctionValue<'ctx> {
        self.declare(abi::PACKET_LOAD, self.numbers_type(3))
    }

    /// One of the functions that give maps and variables. They give the same for the same argument, so
    /// LLVM may call them once where the program names a map often.
    pub fn lddw(&self, which: Lddw) -> FunctionValue<'ctx> {
        let kind = self.i64().fn_type(&[self.int(which.argument_bits()).into()], false);
        let function = self.declare(which.symbol(), kind);
        for name in ["memory", "willreturn"] {
            self.attribute(function, name, 0);
        }
        function
    }

    /// The intrinsic that reverses the bytes of a number.
    pub fn byte_swap(&self, width: IntType<'ctx>) -> FunctionValue<'ctx> {
        let declared = Intrinsic::find("llvm.bswap")
            .and_then(|intrinsic| intrinsic.get_declaration(&self.module, &[width.into()]));
        declared.expect("every LLVM has llvm.bswap")
    }

    /// The start of a section with variables.
    pub fn data(&mut self, index: usize) -> PointerValue<'ctx> {
        let section = &self.object.data[index];
        let entry = match self.data.entry(index) {
            btree_map::Entry::Occupied(entry) => return entry.get().as_pointer_value(),
            btree_map::Entry::Vacant(entry) => entry,
        };
        let kind = data_type(self.context, section);
        let global = self.module.add_global(kind, None, &format!("data{}", section.name));
        global.set_linkage(Linkage::Internal);
        global.set_alignment(section.align);
        global.set_constant(section.kind == DataKind::ReadOnly);
        global.set_section(Some(section_name(section)));
        // An initialiser makes it a definition; the contents follow once all functions are there.
        global.set_initializer(&zero(kind));
        entry.insert(global);
        self.empty.push(index);
        global.as_pointer_value()
    }

    /// Gives the sections with variables their contents; they may refer to further ones and to functions.
    pub fn fill_data(&mut self) {
        while let Some(index) = self.empty.pop() {
            let section = &self.object.data[index];
            let Some(global) = self.data.get(&index).copied() else { continue };
            if section.kind == DataKind::Zero {
                continue;
            }
            let mut fields: Vec<BasicValueEnum<'ctx>> = Vec::new();
            for part in parts(section) {
                fields.push(match part {
                    Part::Bytes(bytes) => self.context.const_string(bytes, false).into(),
                    Part::Target(target) => self.address(target).into(),
                });
            }
            global.set_initializer(&self.context.const_struct(&fields, true));
        }
    }

    /// The address that a word of a variable holds.
    fn address(&mut self, target: &Target) -> PointerValue<'ctx> {
        match target {
            Target::Data(section, offset) => {
                let start = self.data(*section).const_to_int(self.i64());
                start.const_add(self.i64().const_int(*offset, false)).const_to_pointer(self.ptr())
            }
            Target::Function(place) => self.local(*place).as_global_value().as_pointer_value(),
            Target::Extern(name) => self.external_variable(name),
            Target::Map(_) => self.ptr().const_null(),
        }
    }

    /// Keeps the sections with variables in the object, also where all that reads them has been computed already; a
    /// debugger or a driver may look at them.
    pub fn keep_data(&self) {
        let addresses: Vec<PointerValue<'ctx>> =
            self.data.values().map(|global| global.as_pointer_value()).collect();
        if addresses.is_empty() {
            return;
        }
        let list = self.ptr().const_array(&addresses);
        let used = self.module.add_global(list.get_type(), None, "llvm.compiler.used");
        used.set_linkage(Linkage::Appending);
        used.set_section(Some("llvm.metadata"));
        used.set_initializer(&list);
    }

    /// The definitions of the maps, in a section that a loader or a driver reads.
    pub fn add_maps(&self, encoded: &[u8]) {
        let bytes = self.context.const_string(encoded, false);
        let global = self.module.add_global(bytes.get_type(), None, "__btaot_maps");
        global.set_initializer(&bytes);
        global.set_constant(true);
        global.set_alignment(8);
        global.set_linkage(Linkage::WeakAny);
        global.set_section(Some(".btaot.maps"));
    }
}

/// A stretch of a section with variables.
enum Part<'s> {
    Bytes(&'s [u8]),
    Target(&'s Target),
}

/// The contents of a section, cut at the words that hold addresses.
fn parts(section: &Data) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut from = 0;
    for (offset, target) in &section.targets {
        let at = *offset as usize;
        // Words that overlap an earlier one are left to it.
        if let Some(bytes) = section.bytes.get(from..at) {
            parts.push(Part::Bytes(bytes));
            parts.push(Part::Target(target));
            from = at + 8;
        }
    }
    parts.push(Part::Bytes(section.bytes.get(from..).unwrap_or_default()));
    parts
}

fn data_type<'ctx>(context: &'ctx Context, section: &Data) -> BasicTypeEnum<'ctx> {
    let byte = context.i8_type();
    if section.kind == DataKind::Zero {
        return byte.array_type(section.size as u32).into();
    }
    let fields: Vec<BasicTypeEnum<'ctx>> = parts(section)
        .iter()
        .map(|part| match part {
            Part::Bytes(bytes) => byte.array_type(bytes.len() as u32).into(),
            Part::Target(_) => context.ptr_type(AddressSpace::default()).into(),
        })
        .collect();
    let kind: StructType<'ctx> = context.struct_type(&fields, true);
    kind.as_basic_type_enum()
}

fn zero(kind: BasicTypeEnum<'_>) -> BasicValueEnum<'_> {
    kind.const_zero().as_basic_value_enum()
}

/// The section of the native object: the same name where it has its usual meaning there.
fn section_name(section: &Data) -> &str {
    let (usual, prefix) = match section.kind {
        DataKind::ReadOnly => (".rodata", ".rodata."),
        DataKind::Writable => (".data", ".data."),
        DataKind::Zero => (".bss", ".bss."),
    };
    // Mergeable strings and constants are plain bytes here.
    let merged = [".rodata.str", ".rodata.cst"].iter().any(|merged| section.name.starts_with(merged));
    if section.name.starts_with(prefix) && !merged && !section.name.contains('\0') {
        &section.name
    } else {
        usual
    }
}
