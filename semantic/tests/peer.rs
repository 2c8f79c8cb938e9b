//! Verdicts of the reference implementation, row by row, for the part of the language that is supported.
//!
//! `BTAOT_PEER` names a file with a JSON record a line: `program`, `verdict` (`accept` or `reject`) and, for a
//! rejection, `errors` with `[line, column]` of each message. Without it there is nothing to compare. Facts on kernel
//! types and tracepoints come from the live machine, as they did for the records. `BTAOT_PEER_ALL` lists what is not
//! supported, too.

use std::process::ExitCode;

use btaot_frontend::{Code, Diagnostic, Sources};
use btaot_semantic::{Options, Target, analyze};
use serde_json::Value;

/// Least agreement on accepting and rejecting, in percent.
const VERDICTS: usize = 98;
/// Least agreement on the first error's place, in percent.
const PLACES: usize = 93;

/// What became of a program.
enum Outcome {
    Accepted,
    Rejected(u64, u64),
    NotSupported(String),
}

#[derive(Default)]
struct Count {
    compared: usize,
    agreed: usize,
    places: usize,
    placed: usize,
    unsupported: usize,
}

fn main() -> ExitCode {
    let Some(path) = std::env::var_os("BTAOT_PEER") else {
        println!("skipped: BTAOT_PEER is not set");
        return ExitCode::SUCCESS;
    };
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("{} cannot be read", path.display());
        return ExitCode::FAILURE;
    };
    let target = Target::live();
    let mut count = Count::default();
    for line in text.lines() {
        match serde_json::from_str::<Value>(line) {
            Ok(record) => compare(&record, &target, &mut count),
            Err(error) => println!("not a record: {error}"),
        }
    }
    let percent = |part: usize, of: usize| (part * 100).checked_div(of).unwrap_or(100);
    println!(
        "verdicts {}/{}, places {}/{}, not supported yet {}",
        count.agreed, count.compared, count.placed, count.places, count.unsupported
    );
    let enough =
        percent(count.agreed, count.compared) >= VERDICTS && percent(count.placed, count.places) >= PLACES;
    if enough { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn compare(record: &Value, target: &Target, count: &mut Count) {
    let flag = |key: &str| record[key].as_bool() == Some(true);
    let (Some(program), Some(verdict)) = (record["program"].as_str(), record["verdict"].as_str()) else {
        return;
    };
    if flag("environment") || !record["peer_bug"].is_null() || verdict == "crash" {
        return;
    }
    let options = Options { allow_unsafe: flag("unsafe") };
    let expected = (verdict == "reject").then(|| place(&record["errors"][0]));
    let outcome = run(program, target, &options);
    let show = |what: &str| println!("{}: {what}\n    {program}", record["id"].as_str().unwrap_or("?"));
    match (outcome, expected) {
        (Outcome::NotSupported(what), _) => {
            count.unsupported += 1;
            if std::env::var_os("BTAOT_PEER_ALL").is_some() {
                show(&what);
            }
        }
        (Outcome::Accepted, None) => {
            count.compared += 1;
            count.agreed += 1;
        }
        (Outcome::Accepted, Some((line, column))) => {
            count.compared += 1;
            show(&format!("accepted; the reference rejects it at {line}:{column}"));
        }
        (Outcome::Rejected(line, column), None) => {
            count.compared += 1;
            show(&format!("rejected at {line}:{column}; the reference accepts it"));
        }
        (Outcome::Rejected(line, column), Some(expected)) => {
            count.compared += 1;
            count.agreed += 1;
            count.places += 1;
            if (line, column) == expected {
                count.placed += 1;
            } else {
                show(&format!("rejected at {line}:{column} instead of {}:{}", expected.0, expected.1));
            }
        }
    }
}

fn run(program: &str, target: &Target, options: &Options) -> Outcome {
    let mut sources = Sources::new();
    let file = sources.add("stdin", program);
    let result = btaot_frontend::parse(sources.get(file))
        .and_then(|script| analyze(&script, &sources, target, options).map(drop));
    let Err(diagnostics) = result else { return Outcome::Accepted };
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    if let Some(error) = errors.iter().find(|error| error.code == Code::NotSupportedYet) {
        return Outcome::NotSupported(error.message.clone());
    }
    let position = errors.first().map(|error| sources.position(error.span));
    position.map_or(Outcome::Rejected(0, 0), |at| Outcome::Rejected(at.line.into(), at.column.into()))
}

fn place(error: &Value) -> (u64, u64) {
    (error[0].as_u64().unwrap_or(0), error[1].as_u64().unwrap_or(0))
}
