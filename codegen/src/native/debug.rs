//! The line table of a native object.

use super::object::{Object, Place};
use inkwell::builder::Builder;
use inkwell::context::Context;
use inkwell::debug_info::{
    AsDIScope, DICompileUnit, DIFile, DIFlags, DIFlagsConstants, DIScope, DISubprogram, DWARFEmissionKind,
    DWARFSourceLanguage, DebugInfoBuilder,
};
use inkwell::module::{FlagBehavior, Module};
use inkwell::values::FunctionValue;
use std::collections::BTreeMap;

/// A line of a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The file as the compiler was given it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1; 0 when it is not known.
    pub column: u32,
}

/// The source line that begins at each place.
pub type Lines = BTreeMap<Place, Line>;

/// The ending of the file name that stands in the line table of an object without source lines; the lines of
/// such a file are the instructions of the section that it is named after, counted from 1.
pub const INSTRUCTIONS: &str = ".ebpf";

/// Writes the line table.
pub(super) struct Debug<'u, 'ctx> {
    context: &'ctx Context,
    builder: DebugInfoBuilder<'ctx>,
    unit: DICompileUnit<'ctx>,
    object: &'u Object,
    lines: &'u Lines,
    files: BTreeMap<String, DIFile<'ctx>>,
    function: Option<DISubprogram<'ctx>>,
    /// The scopes of this function's lines that stand in other files than its first one.
    scopes: BTreeMap<String, DIScope<'ctx>>,
}

impl<'u, 'ctx> Debug<'u, 'ctx> {
    pub fn new(
        context: &'ctx Context,
        module: &Module<'ctx>,
        (object, lines): (&'u Object, &'u Lines),
        is_optimised: bool,
    ) -> Self {
        let version = context.i32_type().const_int(3, false);
        module.add_basic_value_flag("Debug Info Version", FlagBehavior::Warning, version);
        // In version 4 the line table needs no other section.
        module.add_basic_value_flag(
            "Dwarf Version",
            FlagBehavior::Warning,
            context.i32_type().const_int(4, false),
        );
        let name = lines.values().next().map_or("object", |line| &line.file);
        let (builder, unit) = module.create_debug_info_builder(
            true,
            DWARFSourceLanguage::C,
            name,
            "",
            "btaot",
            is_optimised,
            "",
            0,
            "",
            DWARFEmissionKind::LineTablesOnly,
            0,
            false,
            false,
            "",
            "",
        );
        let (files, scopes) = (BTreeMap::new(), BTreeMap::new());
        Self { context, builder, unit, object, lines, files, function: None, scopes }
    }

    /// Starts the function whose code begins at `place`.
    pub fn enter(&mut self, function: FunctionValue<'ctx>, place: Place) {
        let line = self.line(place);
        let file = self.file(&line.file);
        let kind = self.builder.create_subroutine_type(file, None, &[], DIFlags::ZERO);
        let name = function.get_name().to_string_lossy();
        let name = name.strip_prefix("local.").unwrap_or(&name);
        let scope = self.unit.as_debug_info_scope();
        let made = self.builder.create_function(
            scope,
            name,
            None,
            file,
            line.line,
            kind,
            false,
            true,
            line.line,
            DIFlags::ZERO,
            true,
        );
        function.set_subprogram(made);
        self.function = Some(made);
        self.scopes = BTreeMap::from([(line.file, made.as_debug_info_scope())]);
    }

    /// Attributes the code that follows to the line of an instruction.
    pub fn locate(&mut self, builder: &Builder<'ctx>, section: usize, slot: usize) {
        let Some(function) = self.function else { return };
        let line = self.line(Place { section, slot });
        let scope = match self.scopes.get(&line.file) {
            Some(scope) => *scope,
            None => {
                let file = self.file(&line.file);
                let block = self.builder.create_lexical_block(
                    function.as_debug_info_scope(),
                    file,
                    line.line,
                    line.column,
                );
                let scope = block.as_debug_info_scope();
                self.scopes.insert(line.file, scope);
                scope
            }
        };
        let place = self.builder.create_debug_location(self.context, line.line, line.column, scope, None);
        builder.set_current_debug_location(place);
    }

    /// Completes the table.
    pub fn finish(&self) {
        self.builder.finalize();
    }

    fn line(&self, place: Place) -> Line {
        let first = Place { section: place.section, slot: 0 };
        let known = self.lines.range(first..=place).next_back().map(|(_, line)| line.clone());
        known.unwrap_or_else(|| {
            let section = self.object.code.get(place.section).map_or("code", |code| &code.name);
            Line { file: format!("{section}{INSTRUCTIONS}"), line: place.slot as u32 + 1, column: 0 }
        })
    }

    fn file(&mut self, name: &str) -> DIFile<'ctx> {
        let builder = &self.builder;
        *self.files.entry(name.to_owned()).or_insert_with(|| builder.create_file(name, ""))
    }
}
