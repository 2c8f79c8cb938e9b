//! The one type for user mistakes, from the first byte of the script to the checks on its types.
//!
//! A diagnostic says what is wrong (message and primary span), why (labels and notes) and what to do (hint).

mod code;
mod expansion;
mod explain;
mod label;
mod machine;
mod render;
mod visible;

pub use code::Code;
pub use expansion::{HIDDEN, unfold};
pub use explain::Explanation;
pub use render::{Color, Format, render};

use crate::source::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; compiling goes on.
    Note,
    /// Probably a mistake; compiling goes on.
    Warning,
    /// No output is written.
    Error,
}

impl Severity {
    /// The word in messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A secondary place and what it has to do with the problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is there.
    pub message: String,
}

/// One message to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The kind of problem.
    pub code: Code,
    /// One sentence without a final stop.
    pub message: String,
    /// The primary place.
    pub span: Span,
    /// What stands at the primary place, beside the underline; empty for what [`Diagnostic::primary_label`] derives.
    pub label: String,
    /// Other places.
    pub labels: Vec<Label>,
    /// Further explanation.
    pub notes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error.
    #[must_use]
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, span, message)
    }

    /// A warning.
    #[must_use]
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, span, message)
    }

    /// A note.
    #[must_use]
    pub fn note(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, span, message)
    }

    fn new(severity: Severity, code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            span,
            label: String::new(),
            labels: Vec::new(),
            notes: Vec::new(),
            hint: None,
        }
    }

    /// Says what stands at the primary place.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn with_secondary(mut self, span: Span, message: impl Into<String>) -> Self {
        self.labels.push(Label { span, message: message.into() });
        self
    }

    /// Adds an explanation.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what to do when there is something to say.
    #[must_use]
    pub fn with_hint_opt(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// What is shown beside the underline of the primary place; never empty.
    #[must_use]
    pub fn primary_label(&self) -> &str {
        let inside = |label: &Label| {
            let (outer, inner) = (self.span, label.span);
            inner.file == outer.file && inner != outer && outer.start <= inner.start && inner.end <= outer.end
        };
        match self.label.as_str() {
            // The other label has the exact place and says what is wrong with it.
            "" if self.labels.iter().any(inside) => "inside this",
            "" => self.code.label(),
            own => own,
        }
    }

    /// Whether compiling must fail.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
