//! The codes of diagnostics.

use std::fmt;

/// Declares the codes, each once: variant, number and one line for `btaot explain` and the manual.
macro_rules! codes {
    ($($variant:ident = $number:literal, $explanation:literal;)*) => {
        /// What kind of problem a diagnostic reports. Numbers are stable: never reuse one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $explanation] $variant,)*
        }

        impl Code {
            /// Every code by number.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The number, such as `E0101`.
            #[must_use]
            pub fn number(self) -> &'static str {
                match self { $(Self::$variant => $number,)* }
            }

            /// The kind of problem in one line.
            #[must_use]
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation,)* }
            }
        }
    };
}

codes! {
    // Sources and lexical form.
    UnclosedString = "E0002", "A string literal must end on the line where it begins.";
    BadEscape = "E0003", "Strings know the escapes \\n \\t \\r \\\" \\\\ \\ooo and \\xhh.";
    BadInteger = "E0004", "An integer literal is malformed or has an unknown suffix.";
    IntegerTooLarge = "E0005", "An integer literal does not fit its range.";
    UnclosedComment = "E0006", "A block comment has no end.";
    UnclosedBracket = "E0007", "A bracket has no partner.";
    TooDeep = "E0008", "Brackets, blocks or operators are nested too deeply.";
    // Syntax.
    Syntax = "E0101", "The text is not a sentence of the language at this place.";
    MissingSemicolon = "E0102", "Statements are separated by semicolons.";
    TopLevelOrder = "E0103", "C definitions come first, then config and imports, then everything else.";
    DuplicateConfig = "E0104", "A script has at most one config block.";
    ReservedName = "E0105", "This name belongs to the language and cannot be redefined.";
    DuplicateParameter = "E0106", "Parameters of one macro or function need different names.";
    BadPositional = "E0107", "Positional parameters are $1, $2 and so on.";
    // C definitions.
    CSyntax = "E0151", "A C definition is malformed or uses C that has no meaning in a script.";
    CPreprocessor = "E0152", "A preprocessor line is malformed or its conditional is not closed.";
    CRedefinition = "E0153", "A C type, typedef or enumerator is defined twice.";
    MissingInclude = "E0154", "An included file does not exist.";
    CIncomplete = "E0155", "A C type is used where its size is needed but it is not defined.";
    // Attach points.
    UnknownProvider = "E0201", "There is no such probe type.";
    AttachPointParts = "E0202", "A probe type takes another number of parts.";
    BadAttachPart = "E0203", "A part of an attach point has the wrong form.";
    WildcardNotAllowed = "E0204", "A wildcard cannot stand here.";
    UnknownPerfEvent = "E0205", "There is no such software or hardware event.";
    ProbeMix = "E0206", "These probe types cannot share one action.";
    UnresolvedPositional = "E0208", "A positional parameter shapes a probe but is not known while compiling.";
    // Names.
    UnknownIdentifier = "E0301", "This name means nothing here.";
    UnknownFunction = "E0302", "There is no function, macro or builtin of this name.";
    UndefinedVariable = "E0303", "A variable is read before it has a value or outside its block.";
    UndefinedMap = "E0304", "A map is read but never written.";
    Redeclared = "E0305", "A name is declared twice, or hides an outer one.";
    UnknownType = "E0306", "There is no such type.";
    UnknownField = "E0307", "The type has no such field.";
    MacroRecursion = "E0308", "Macros and functions cannot call themselves.";
    MacroArguments = "E0309", "The arguments do not match any definition of the macro.";
    NotAssignable = "E0310", "Only variables, maps and map elements can be assigned.";
    // Types.
    TypeMismatch = "E0401", "A value has another type than its place needs.";
    BadOperand = "E0402", "The operator does not work on this type.";
    BadCast = "E0403", "There is no such cast.";
    LiteralOutOfRange = "E0404", "A literal does not fit the declared type.";
    ConstantOverflow = "E0405", "A constant expression overflows 64 bits.";
    NotConstant = "E0406", "The value must be known while compiling.";
    BadIndex = "E0407", "An index is out of bounds, or the value cannot be indexed.";
    NoValue = "E0408", "The expression has no value.";
    IncompleteType = "E0409", "The type's layout is not known.";
    TooLarge = "E0410", "A value, key or frame is larger than the kernel allows.";
    // Maps.
    MapKeyMismatch = "E0501", "A map is used with keys of different types.";
    MapValueMismatch = "E0502", "A map is used with values of different types.";
    BadMapDeclaration = "E0503", "A map declaration names an unknown kind or a bad size.";
    AggregationMisused = "E0504", "An aggregation's value is used where it cannot be.";
    // Calls, builtins and control flow.
    WrongArgumentCount = "E0601", "The function takes another number of arguments.";
    BadArgument = "E0602", "An argument has the wrong kind or value.";
    BadFormat = "E0603", "A format string does not fit its arguments.";
    NotInThisProbe = "E0604", "This is not available in probes of this type.";
    UnsafeFunction = "E0605", "This can harm the system and needs --unsafe.";
    LoopMisused = "E0606", "break and continue belong in loops, and some jumps cannot leave them.";
    BadUnroll = "E0607", "unroll needs a constant from 1 to 100.";
    BadReturn = "E0608", "A return does not fit its place.";
    UserFailure = "E0609", "The script's own static check failed.";
    // Config and imports.
    UnknownConfigKey = "E0701", "There is no such setting.";
    BadConfigValue = "E0702", "A setting has another type or range.";
    BadImport = "E0703", "An import cannot be found or has an unknown type.";
    UnstableFeature = "E0704", "An unstable feature is set to error.";
    // Kernels and targets.
    MissingTypeInformation = "E0802", "The target has no type information for this.";
    ConflictingTypes = "E0803", "Different definitions of one type meet.";
    DependsOnTarget = "E0804", "A layout would depend on the host where the tool runs.";
    // What later releases bring.
    NotSupportedYet = "E0901", "This release cannot compile this part of the language.";
    // Warnings.
    SignMismatch = "W0001", "Signed and unsigned values are mixed.";
    DiscardedValue = "W0002", "A value is computed and dropped.";
    Unreachable = "W0003", "A statement can never run.";
    Deprecated = "W0004", "An old form that still works.";
    UselessCast = "W0005", "A cast to the type that the value already has.";
    ComparesPointers = "W0006", "Pointers to different types are compared.";
    AddressSpace = "W0007", "User and kernel addresses are mixed.";
    Clamped = "W0008", "A value is reduced to its limit.";
    AbsentHere = "W0009", "The probe's target does not exist on the compiling machine.";
    UnstableUsed = "W0010", "An unstable feature is used.";
    PrintInLoop = "W0011", "A map printed in a loop may show later values.";
    CFixedLayout = "W0012", "A type from a header keeps the layout of the compiling machine.";
    UnusedDeclaration = "W0013", "A declared map or variable is never used.";
    NeverWritten = "W0014", "A map is read but never written, so it reads as zero.";
    ImportSkipped = "W0015", "A file of an imported folder is left out.";
}

impl Code {
    /// The code of a number as written, whatever its case.
    #[must_use]
    pub fn lookup(number: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number().eq_ignore_ascii_case(number))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn numbers_are_unique_and_well_formed() {
        let mut numbers: Vec<_> = Code::ALL.iter().map(|code| code.number()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), Code::ALL.len());
        assert!(numbers.iter().all(|n| n.len() == 5 && n[1..].bytes().all(|b| b.is_ascii_digit())));
    }
}
