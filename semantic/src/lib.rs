//! Types, checks and planning: from the AST to the typed Program.
