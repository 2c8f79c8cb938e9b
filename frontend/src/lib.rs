//! Sources, AST, parser and diagnostics.
