//! Debug information: what BTF, line information and CO-RE relocations are made from.
//!
//! inkwell has no way to give a file its text, nor bit fields, nor to use a type as metadata, so
//! this is written against LLVM's C interface.

use std::ffi::c_char;
use std::ptr::null_mut;

use inkwell::llvm_sys::core;
use inkwell::llvm_sys::debuginfo::{self as di, LLVMDWARFEmissionKind, LLVMDWARFSourceLanguage};
use inkwell::llvm_sys::prelude::{LLVMBool, LLVMDIBuilderRef, LLVMMetadataRef};
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::FlagBehavior;
use inkwell::values::AsValueRef;

use super::{Context, Function, Module};

/// Encodings of basic types (DWARF 5, table 7.11).
const DW_ATE_BOOLEAN: u32 = 2;
const DW_ATE_SIGNED: u32 = 5;
const DW_ATE_SIGNED_CHAR: u32 = 6;
const DW_ATE_UNSIGNED: u32 = 7;

/// The text given to the debug information of a script.
pub struct Script<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its text; the kernel keeps the lines beside the bytecode.
    pub text: &'a [u8],
}

/// A piece of debug information. It lives as long as the context it was made in, which outlives
/// every [`Debug`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Node(LLVMMetadataRef);

impl Node {
    /// The node of a handle, if it is one.
    pub(super) fn from_raw(raw: LLVMMetadataRef) -> Option<Self> {
        (!raw.is_null()).then_some(Self(raw))
    }

    /// The handle for the C interface.
    pub(super) fn raw(self) -> LLVMMetadataRef {
        self.0
    }
}

/// A member of a structure.
pub struct Member<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its type.
    pub ty: Node,
    /// Bits it takes.
    pub bits: u64,
    /// Bits from the start of the structure.
    pub offset: u64,
    /// A bit field.
    pub bit_field: bool,
}

/// Writes the debug information of one module.
pub struct Debug<'c> {
    context: &'c Context,
    builder: LLVMDIBuilderRef,
    file: Node,
}

fn chars(bytes: &[u8]) -> (*const c_char, usize) {
    (bytes.as_ptr().cast(), bytes.len())
}

/// Escapes bytes for a string in LLVM assembly.
fn escaped(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(bytes.len() * 2);
    for &byte in bytes {
        match byte {
            b'"' | b'\\' | 0..=31 | 127.. => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\{byte:02X}");
            }
            _ => out.push(byte as char),
        }
    }
    out
}

/// The name of a stand-in for a CO-RE relocation in a fresh module.
pub fn relocation_name(number: usize) -> String {
    format!("relocation.{number}")
}

/// A module that holds the description of the script's file, and stand-ins for as many CO-RE
/// relocations of members as the script can need. It is parsed from assembly because the C
/// interface can neither attach a text to a file (without one LLVM would look for a file of that
/// name in the current directory) nor an attribute to a variable.
pub fn module_for<'c>(context: &'c Context, script: &Script, relocations: usize) -> Module<'c> {
    let mut text = format!(
        "!script = !{{!0}}\n!0 = !DIFile(filename: \"{}\", directory: \"\", source: \"{}\")\n\
         attributes #0 = {{ \"btf_ama\" }}\n",
        escaped(script.name),
        escaped(script.text)
    );
    for number in 0..relocations {
        text.push_str(&format!("@{} = external global i64 #0\n", relocation_name(number)));
    }
    let buffer = MemoryBuffer::create_from_memory_range_copy(text.as_bytes(), "script");
    match context.create_module_from_ir(buffer) {
        Ok(module) => module,
        Err(error) => panic!("bug in code generation: {error}"),
    }
}

impl<'c> Debug<'c> {
    /// Starts the debug information of a module made by [`module_for`].
    pub fn new(context: &'c Context, module: &Module<'c>, producer: &str) -> Self {
        let number = |value: u32| context.i32_type().const_int(value.into(), false);
        module.add_basic_value_flag("Debug Info Version", FlagBehavior::Warning, number(3));
        module.add_basic_value_flag("Dwarf Version", FlagBehavior::Warning, number(5));
        let mut file = null_mut();
        // SAFETY: the named node has exactly one operand, a DIFile; strings are given with their
        // lengths and copied; the builder belongs to the module, which outlives `Self` as both
        // are dropped by the one function that made them.
        unsafe {
            core::LLVMGetNamedMetadataOperands(module.as_mut_ptr(), c"script".as_ptr(), &mut file);
            let file = Node(core::LLVMValueAsMetadata(file));
            let builder = di::LLVMCreateDIBuilder(module.as_mut_ptr());
            let (name, len) = chars(producer.as_bytes());
            di::LLVMDIBuilderCreateCompileUnit(
                builder,
                LLVMDWARFSourceLanguage::LLVMDWARFSourceLanguageC,
                file.0,
                name,
                len,
                1,
                c"".as_ptr(),
                0,
                0,
                c"".as_ptr(),
                0,
                LLVMDWARFEmissionKind::LLVMDWARFEmissionKindFull,
                0,
                0,
                0,
                c"".as_ptr(),
                0,
                c"".as_ptr(),
                0,
            );
            Self { context, builder, file }
        }
    }

    /// Completes the debug information; nothing may be added afterwards.
    pub fn finish(&self) {
        // SAFETY: the builder is alive.
        unsafe { di::LLVMDIBuilderFinalize(self.builder) }
    }

    /// A function with a line; its parameters are named because the kernel refuses BTF with
    /// anonymous ones.
    pub fn function(
        &self,
        function: Function<'c>,
        name: &str,
        line: u32,
        result: Node,
        parameters: &[(&str, Node)],
    ) -> Node {
        let mut types: Vec<LLVMMetadataRef> = std::iter::once(result.0).collect();
        types.extend(parameters.iter().map(|(_, ty)| ty.0));
        let local = LLVMBool::from(function.get_linkage() == inkwell::module::Linkage::Internal);
        // SAFETY: all nodes belong to this context, arrays and strings are passed with their lengths.
        unsafe {
            let count = types.len() as u32;
            let signature = di::LLVMDIBuilderCreateSubroutineType(
                self.builder,
                self.file.0,
                types.as_mut_ptr(),
                count,
                0,
            );
            let (chars, len) = chars(name.as_bytes());
            let node = di::LLVMDIBuilderCreateFunction(
                self.builder,
                self.file.0,
                chars,
                len,
                c"".as_ptr(),
                0,
                self.file.0,
                line,
                signature,
                local,
                1,
                line,
                0,
                1,
            );
            for (index, (name, ty)) in (1..).zip(parameters) {
                self.parameter(Node(node), index, name, *ty, line);
            }
            di::LLVMSetSubprogram(function.as_value_ref(), node);
            Node(node)
        }
    }

    fn parameter(&self, scope: Node, index: u32, name: &str, ty: Node, line: u32) {
        let (name, len) = chars(name.as_bytes());
        // SAFETY: as in `function`.
        unsafe {
            di::LLVMDIBuilderCreateParameterVariable(
                self.builder,
                scope.0,
                name,
                len,
                index,
                self.file.0,
                line,
                ty.0,
                1,
                0,
            );
        }
    }

    /// A place inside a function.
    pub fn location(&self, scope: Node, line: u32, column: u32) -> Node {
        // SAFETY: the scope belongs to this context.
        Node(unsafe {
            di::LLVMDIBuilderCreateDebugLocation(self.context.raw(), line, column, scope.0, null_mut())
        })
    }

    fn basic(&self, name: &str, bytes: u32, encoding: u32) -> Node {
        let (name, len) = chars(name.as_bytes());
        // SAFETY: the string is passed with its length.
        Node(unsafe {
            di::LLVMDIBuilderCreateBasicType(self.builder, name, len, u64::from(bytes) * 8, encoding, 0)
        })
    }

    /// An integer type.
    pub fn int(&self, bytes: u32, signed: bool) -> Node {
        let name = format!("{}{}", if signed { "s" } else { "u" }, bytes * 8);
        self.basic(&name, bytes, if signed { DW_ATE_SIGNED } else { DW_ATE_UNSIGNED })
    }

    /// `int`, for the result of programs and the numbers of map definitions.
    pub fn c_int(&self) -> Node {
        self.basic("int", 4, DW_ATE_SIGNED)
    }

    /// `char`.
    pub fn char(&self) -> Node {
        self.basic("char", 1, DW_ATE_SIGNED_CHAR)
    }

    /// `bool`.
    pub fn bool(&self) -> Node {
        self.basic("bool", 1, DW_ATE_BOOLEAN)
    }

    /// A pointer; `None` is `void *`.
    pub fn pointer(&self, to: Option<Node>) -> Node {
        // SAFETY: the type belongs to this context; a null type is `void`.
        Node(unsafe {
            di::LLVMDIBuilderCreatePointerType(
                self.builder,
                to.map_or(null_mut(), |to| to.0),
                64,
                0,
                0,
                c"".as_ptr(),
                0,
            )
        })
    }

    /// An array of that many elements of that many bytes each.
    pub fn array(&self, element: Node, bytes: u32, len: u32) -> Node {
        // SAFETY: all nodes belong to this context, the array of one subscript is passed with its length.
        unsafe {
            let range = di::LLVMDIBuilderGetOrCreateSubrange(self.builder, 0, len.into());
            let bits = u64::from(bytes) * u64::from(len) * 8;
            Node(di::LLVMDIBuilderCreateArrayType(self.builder, bits, 0, element.0, [range].as_mut_ptr(), 1))
        }
    }

    /// A structure or union of that many bytes.
    pub fn structure(&self, name: &[u8], union: bool, bytes: u32, members: &[Member]) -> Node {
        let mut elements: Vec<LLVMMetadataRef> = members.iter().map(|member| self.member(member)).collect();
        let (name, len) = chars(name);
        let (bits, count) = (u64::from(bytes) * 8, elements.len() as u32);
        let elements = elements.as_mut_ptr();
        // SAFETY: all nodes belong to this context, arrays and strings are passed with their lengths.
        Node(unsafe {
            if union {
                di::LLVMDIBuilderCreateUnionType(
                    self.builder,
                    self.file.0,
                    name,
                    len,
                    self.file.0,
                    0,
                    bits,
                    0,
                    0,
                    elements,
                    count,
                    0,
                    c"".as_ptr(),
                    0,
                )
            } else {
                di::LLVMDIBuilderCreateStructType(
                    self.builder,
                    self.file.0,
                    name,
                    len,
                    self.file.0,
                    0,
                    bits,
                    0,
                    0,
                    null_mut(),
                    elements,
                    count,
                    0,
                    null_mut(),
                    c"".as_ptr(),
                    0,
                )
            }
        })
    }

    fn member(&self, member: &Member) -> LLVMMetadataRef {
        let (name, len) = chars(member.name);
        let (scope, line) = (self.file.0, 0);
        // SAFETY: all nodes belong to this context, the string is passed with its length.
        unsafe {
            if member.bit_field {
                let storage = member.offset / 64 * 64;
                di::LLVMDIBuilderCreateBitFieldMemberType(
                    self.builder,
                    scope,
                    name,
                    len,
                    scope,
                    line,
                    member.bits,
                    member.offset,
                    storage,
                    0,
                    member.ty.0,
                )
            } else {
                di::LLVMDIBuilderCreateMemberType(
                    self.builder,
                    scope,
                    name,
                    len,
                    scope,
                    line,
                    member.bits,
                    0,
                    member.offset,
                    0,
                    member.ty.0,
                )
            }
        }
    }

    /// An enumeration.
    pub fn enumeration(&self, name: &[u8], bytes: u32, signed: bool, variants: &[(&[u8], i64)]) -> Node {
        let (chars_of, len) = chars(name);
        // SAFETY: all nodes belong to this context, arrays and strings are passed with their lengths.
        unsafe {
            let mut elements: Vec<LLVMMetadataRef> = variants
                .iter()
                .map(|(name, value)| {
                    let (name, len) = chars(name);
                    di::LLVMDIBuilderCreateEnumerator(
                        self.builder,
                        name,
                        len,
                        *value,
                        LLVMBool::from(!signed),
                    )
                })
                .collect();
            Node(di::LLVMDIBuilderCreateEnumerationType(
                self.builder,
                self.file.0,
                chars_of,
                len,
                self.file.0,
                0,
                u64::from(bytes) * 8,
                0,
                elements.as_mut_ptr(),
                elements.len() as u32,
                self.int(bytes, signed).0,
            ))
        }
    }

    /// Makes a stand-in of [`module_for`] the relocation with that name, about that root type.
    /// This is what LLVM's own pass makes of its intrinsics for member accesses; that pass
    /// remembers variables of earlier modules, so a process could compile only once with it.
    pub fn relocation(&self, stand_in: inkwell::values::GlobalValue<'c>, name: &str, root: Node) {
        stand_in.set_name(name);
        let kind = self.context.get_kind_id("llvm.preserve.access.index");
        // SAFETY: variable and node belong to the same context.
        unsafe { core::LLVMGlobalSetMetadata(stand_in.as_value_ref(), kind, root.0) }
    }

    /// Describes a global variable: without it, it would be missing in BTF.
    pub fn global(&self, global: inkwell::values::GlobalValue<'c>, name: &str, ty: Node) {
        let (name, len) = chars(name.as_bytes());
        // SAFETY: all nodes belong to this context, the string is passed with its length.
        unsafe {
            let expression = di::LLVMDIBuilderCreateExpression(self.builder, null_mut(), 0);
            let node = di::LLVMDIBuilderCreateGlobalVariableExpression(
                self.builder,
                self.file.0,
                name,
                len,
                c"".as_ptr(),
                0,
                self.file.0,
                0,
                ty.0,
                0,
                expression,
                null_mut(),
                0,
            );
            core::LLVMGlobalSetMetadata(global.as_value_ref(), self.context.get_kind_id("dbg"), node);
        }
    }
}

impl Drop for Debug<'_> {
    fn drop(&mut self) {
        // SAFETY: made in `new`, disposed of once.
        unsafe { di::LLVMDisposeDIBuilder(self.builder) }
    }
}
