//! What stands beside the underline of a primary place when the one who raises a diagnostic says nothing better.

use super::Code;

impl Code {
    /// The place in a few words: the message says what is wrong, this says what is underlined.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::UnclosedString => "begins here",
            Self::BadEscape => "no such escape",
            Self::BadInteger => "not an integer",
            Self::IntegerTooLarge => "needs more than 64 bits",
            Self::UnclosedComment => "begins here",
            Self::UnclosedBracket => "has no partner",
            Self::TooDeep => "one level too many",
            Self::Syntax => "not expected here",
            Self::MissingSemicolon => "before this",
            Self::TopLevelOrder => "comes too late",
            Self::DuplicateConfig => "one too many",
            Self::ReservedName => "belongs to the language",
            Self::DuplicateParameter => "the same name again",
            Self::BadPositional => "not a positional parameter",
            code => code.label_of_meaning(),
        }
    }

    /// The same for what is found behind the syntax.
    fn label_of_meaning(self) -> &'static str {
        match self {
            Self::CSyntax => "not understood",
            Self::CPreprocessor => "this line",
            Self::CRedefinition => "defined again",
            Self::MissingInclude => "not found",
            Self::CIncomplete => "its size is not known",
            Self::UnknownProvider => "no probe type",
            Self::AttachPointParts => "not the right number of parts",
            Self::BadAttachPart => "not of this form",
            Self::WildcardNotAllowed => "must be spelled out",
            Self::UnknownPerfEvent => "no such event",
            Self::ProbeMix => "cannot join the others",
            Self::AbsentHere => "not found on this machine",
            Self::UnresolvedPositional => "known when the tool starts",
            Self::UnknownIdentifier => "means nothing here",
            Self::UnknownFunction => "no such function",
            Self::UndefinedVariable => "read here",
            Self::UndefinedMap | Self::NeverWritten => "read here, written nowhere",
            Self::Redeclared => "declared again",
            Self::UnknownType => "no such type",
            Self::UnknownField => "no such field",
            Self::MacroRecursion => "calls itself",
            Self::MacroArguments => "does not match",
            Self::NotAssignable => "no place for a value",
            code => code.label_of_value(),
        }
    }

    /// The same for types, values and calls.
    fn label_of_value(self) -> &'static str {
        match self {
            Self::TypeMismatch | Self::MapKeyMismatch | Self::MapValueMismatch => "has another type",
            Self::BadOperand => "does not work on this type",
            Self::BadCast => "cannot be cast",
            Self::LiteralOutOfRange => "out of range",
            Self::ConstantOverflow => "needs more than 64 bits",
            Self::NotConstant => "known only at run time",
            Self::BadIndex => "this index",
            Self::NoValue => "gives no value",
            Self::IncompleteType => "its layout is not known",
            Self::TooLarge => "too large",
            Self::BadMapDeclaration => "this declaration",
            Self::AggregationMisused => "used as a value",
            Self::WrongArgumentCount => "called here",
            Self::BadArgument => "this argument",
            Self::BadFormat => "in this format",
            Self::NotInThisProbe => "has no value in this probe",
            Self::UnsafeFunction => "can harm the system",
            Self::LoopMisused => "leaves no loop",
            Self::BadUnroll => "this count",
            Self::BadReturn => "does not fit",
            Self::UserFailure => "called here",
            Self::UnknownConfigKey => "no such setting",
            Self::BadConfigValue => "this setting",
            code => code.label_of_advice(),
        }
    }

    /// The same for targets and warnings.
    fn label_of_advice(self) -> &'static str {
        match self {
            Self::BadImport => "cannot be imported",
            Self::UnstableFeature | Self::UnstableUsed => "not stable yet",
            Self::MissingTypeInformation => "needs type information",
            Self::ConflictingTypes => "which of them?",
            Self::DependsOnTarget => "has another size elsewhere",
            Self::NotSupportedYet => "not yet",
            Self::SignMismatch => "mixes signs",
            Self::DiscardedValue => "its value is dropped",
            Self::Unreachable => "never runs",
            Self::Deprecated => "an old form",
            Self::UselessCast => "changes nothing",
            Self::ComparesPointers => "pointers to different types",
            Self::AddressSpace => "mixes address spaces",
            Self::Clamped => "reduced to its limit",
            Self::PrintInLoop => "printed in a loop",
            Self::CFixedLayout => "its layout is fixed now",
            Self::UnusedDeclaration => "never used",
            Self::ImportSkipped => "imports a folder",
            _ => "about this",
        }
    }
}
