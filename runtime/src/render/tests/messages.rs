use btaot_abi::event::{EventKind, Header};
use btaot_abi::metadata::{AttachPoint, Fault, Identity, Location, Metadata, Program, Site, Target};

use super::{metadata, rendered};
use crate::render::{Format, RenderError};

fn with_sites() -> Metadata {
    let mut metadata = metadata();
    let location = Location { line: 1, column: 22, end_column: 44 };
    let helper = |name: &str| Fault::Helper { name: name.into() };
    metadata.sites = [Fault::DivideByZero, helper("map_lookup_elem"), helper("probe_read_user")]
        .map(|fault| Site { fault, location })
        .into();
    metadata
}

fn raised(format: Format, kind: EventKind, id: u32, result: i64) -> (String, String) {
    let header = Header { kind, id };
    let record = [header.word().to_ne_bytes(), result.to_ne_bytes()].concat();
    rendered(&with_sites(), format, |renderer| renderer.event(header, &record))
}

#[test]
fn faults_in_text_go_to_the_error_stream() {
    let (out, messages) = raised(Format::Text, EventKind::RuntimeError, 0, 0);
    assert_eq!(out, "");
    assert_eq!(
        messages,
        "stdin:1:22-44: WARNING: Divide or modulo by 0 detected. This can lead to unexpected results. \
         1 is being used as the result.\n\
         begin { @z = 0; @o = (uint64)1 / (uint64)@z; }\n                     ~~~~~~~~~~~~~~~~~~~~~~\n"
    );
    let (_, messages) = raised(Format::Text, EventKind::HelperError, 2, -14);
    assert!(
        messages.starts_with(
            "stdin:1:22-44: WARNING: bpf_probe_read_user failed: Bad address.\n\
             helper probe_read_user returned -14: Bad address\n"
        ),
        "{messages}"
    );
}

#[test]
fn faults_in_json() {
    // output-json-018.
    assert_eq!(
        raised(Format::Json, EventKind::RuntimeError, 0, 0),
        (
            "{\"type\": \"runtime_error\", \"msg\": \"Divide or modulo by 0 detected. This can lead to \
             unexpected results. 1 is being used as the result.\", \"filename\": \"stdin\", \"line\": 1, \
             \"col\": 22}\n"
                .into(),
            String::new()
        )
    );
    // output-json-019, at another column.
    let (out, _) = raised(Format::Json, EventKind::HelperError, 1, 0);
    assert_eq!(
        out,
        "{\"type\": \"helper_error\", \"msg\": \"Success\", \"helper\": \"map_lookup_elem\", \"retcode\": 0, \
         \"filename\": \"stdin\", \"line\": 1, \"col\": 22}\n"
    );
}

#[test]
fn counts_of_probes_and_losses() {
    let show = |format| {
        rendered(&metadata(), format, |renderer| {
            renderer.attached(1)?;
            renderer.attached(2)?;
            renderer.lost(7)
        })
    };
    assert_eq!(
        show(Format::Text),
        (String::new(), "Attached 1 probe\nAttached 2 probes\nLost 7 events\n".into())
    );
    // output-json-001; notes: lost_events repeats its count likewise.
    let expected = "{\"type\": \"attached_probes\", \"count\": 1, \"data\": {\"probes\": 1}}\n\
                    {\"type\": \"attached_probes\", \"count\": 2, \"data\": {\"probes\": 2}}\n\
                    {\"type\": \"lost_events\", \"count\": 7, \"data\": {\"events\": 7}}\n";
    assert_eq!(show(Format::Json), (expected.into(), String::new()));
}

#[test]
fn losses_are_summed_by_probe() {
    let location = Location { line: 1, column: 1, end_column: 6 };
    let program = |name: &str, target| Program {
        symbol: name.into(),
        location,
        attach: vec![AttachPoint { name: name.into(), location, target, named: false, optional: false }],
        identity: Identity::Unused,
        tracepoint: None,
        operands: None,
        binaries: Vec::new(),
        filters_pid: false,
        rest: None,
    };
    let mut metadata = metadata();
    metadata.programs =
        vec![program("begin", Target::Begin), program("interval:s:1", Target::Interval { ns: 1 })];
    let messages =
        |losses: &[u64]| rendered(&metadata, Format::Text, |renderer| renderer.lost_in_all(losses)).1;
    assert_eq!(messages(&[0, 5]), "WARNING: Total lost event count: 5\n  5 of interval:s:1\n");
    assert_eq!(messages(&[0, 0]), "");
}

#[test]
fn time_in_both_formats() {
    let mut metadata = metadata();
    metadata.time = vec!["x".into(), "%1000d".into()];
    let show = |format| {
        rendered(&metadata, format, |renderer| {
            let event = |id| Header { kind: EventKind::Time, id };
            renderer.event(event(0), &event(0).word().to_ne_bytes())?;
            // Longer than the 63 bytes that there are.
            renderer.event(event(1), &event(1).word().to_ne_bytes())
        })
        .0
    };
    assert_eq!(show(Format::Text), "x(?)");
    // output-json-013.
    assert!(show(Format::Json).starts_with("{\"type\": \"time\", \"data\": \"x\"}\n"));
}

#[test]
fn unknown_numbers_are_named() {
    let header = Header { kind: EventKind::Printf, id: 3 };
    rendered(&metadata(), Format::Text, |renderer| {
        let error = renderer.event(header, &header.word().to_ne_bytes()).expect_err("refused");
        assert!(matches!(error, RenderError::Unknown { what: "printf", id: 3 }));
        Ok(())
    });
}
