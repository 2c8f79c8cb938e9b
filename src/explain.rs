//! `btaot explain`: what the codes of diagnostics mean.

use btaot_frontend::Code;
use btaot_grammar::vocabulary::closest;

use crate::cli::Explain;
use crate::failure::Failure;
use crate::output;

/// Columns of an explanation.
const WIDTH: usize = 80;

/// Runs the subcommand.
pub fn run(arguments: &Explain) -> Result<(), Failure> {
    let Some(number) = arguments.code.as_deref() else {
        let line = |code: &Code| format!("{code}  {}\n", code.explanation());
        return output::print(&Code::ALL.iter().map(line).collect::<String>());
    };
    let code = Code::lookup(number).ok_or_else(|| {
        let known = Code::ALL.iter().map(|code| code.number());
        let hint = match closest(number, known) {
            Some(near) => format!("did you mean {near}?"),
            None => "`btaot explain` lists the codes".to_owned(),
        };
        Failure::Usage(format!("no diagnostic has the code `{number}`; {hint}"))
    })?;
    output::print(&text(code))
}

fn text(code: Code) -> String {
    let long = code.explain();
    let mut out = format!("{code}: {}\n\n{}\n", code.explanation(), wrap(long.text));
    for (heading, script) in [("This has the problem:", long.wrong), ("This does not:", long.right)] {
        if !script.is_empty() {
            let lines = script.lines().map(|line| format!("    {line}\n")).collect::<String>();
            out.push_str(&format!("\n{heading}\n\n{lines}"));
        }
    }
    out
}

/// Breaks a paragraph into lines at spaces.
fn wrap(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > WIDTH {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out
}
