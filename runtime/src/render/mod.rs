//! From event and map bytes to text or JSON: one decoder, one [`sink::Sink`] for each format.
//!
//! The drain loop hands records and map contents to a [`Renderer`] in the order in which they came. Nothing
//! here talks to BPF: stack frames come through a callback, map contents as rows that were already read.

mod actions;
mod context;
mod decode;
mod faults;
mod flags;
mod hist;
mod json;
mod json_sink;
mod maps;
pub(crate) mod number;
mod output;
mod printf;
mod series;
mod sink;
mod text;
mod text_sink;
mod time;
mod trials;

use btaot_abi::event::{EventKind, Header};
use btaot_abi::ids::{MapId, SiteId};
use btaot_abi::metadata::Metadata;
use thiserror::Error;

pub use decode::ShortValue;
pub use maps::{Cut, MapRows};
pub use output::{Buffering, Output, OutputError};
pub use printf::TemplateError;
pub use trials::{Measured, Trial};

use crate::symbols::Names;
use crate::sys::machine::{self, Clock};
use context::Context;
use decode::Value;
use json_sink::JsonSink;
use printf::Template;
use sink::{Contents, Sink, Streams};
use text_sink::TextSink;
use time::TimeFormat;

/// What the output looks like, `-f`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object on a line.
    Json,
}

impl Format {
    /// The format of this name on the command line.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Why something could not be shown.
#[derive(Debug, Error)]
pub enum RenderError {
    /// It could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A record or map does not hold what the metadata says.
    #[error("{what} {id}: {error}; this is a bug in btaot")]
    Short {
        /// The table.
        what: &'static str,
        /// The index.
        id: u32,
        /// What is missing.
        error: ShortValue,
    },
    /// An id that the metadata does not have.
    #[error("there is no {what} {id} in the metadata; this is a bug in btaot")]
    Unknown {
        /// The table.
        what: &'static str,
        /// The index.
        id: u32,
    },
    /// A `printf` does not fit its arguments.
    #[error("printf {id}: {error}; this is a bug in btaot")]
    Template {
        /// Its number.
        id: u32,
        /// What does not fit.
        error: TemplateError,
    },
}

/// What a renderer is made of.
pub struct Settings<'m> {
    /// The tables of the tool.
    pub metadata: &'m Metadata,
    /// Text of the script for messages; empty when the tool does not carry it.
    pub source: &'m [u8],
    /// Output format.
    pub format: Format,
    /// Whether warnings of the script and about it are shown.
    pub warnings: bool,
    /// Wall-clock time at boot, ns since 1970; measured once when the tool starts.
    pub boot_time: i64,
}

/// Shows events and maps.
pub struct Renderer<'m> {
    metadata: &'m Metadata,
    source: &'m [u8],
    warnings: bool,
    sink: Box<dyn Sink>,
    output: Output,
    context: Context<'m>,
    templates: Vec<Template<'m>>,
    /// The texts of actions.
    action_texts: Vec<Template<'m>>,
    times: Vec<TimeFormat>,
    /// The text of the event at hand, kept for its capacity.
    text: Vec<u8>,
    messages: Vec<u8>,
}

impl<'m> Renderer<'m> {
    /// Takes all formats apart, so that events only have to fill them in.
    pub fn new(settings: Settings<'m>, names: Names<'m>, output: Output) -> Result<Self, RenderError> {
        let metadata = settings.metadata;
        let templates = (0..)
            .zip(&metadata.printf)
            .map(|(id, printf)| Template::new(printf).map_err(|error| RenderError::Template { id, error }))
            .collect::<Result<_, _>>()?;
        let action_texts = (0..)
            .zip(&metadata.actions)
            .map(|(id, action)| {
                Template::new(&action.text).map_err(|error| RenderError::Template { id, error })
            })
            .collect::<Result<_, _>>()?;
        let sink: Box<dyn Sink> = match settings.format {
            Format::Text => Box::new(TextSink),
            Format::Json => Box::new(JsonSink),
        };
        Ok(Self {
            metadata,
            source: settings.source,
            warnings: settings.warnings,
            sink,
            output,
            context: Context::new(metadata, names, settings.boot_time),
            templates,
            action_texts,
            times: metadata.time.iter().map(|format| TimeFormat::parse(format)).collect(),
            text: Vec::new(),
            messages: Vec::new(),
        })
    }

    /// Shows a record of the ring (header included) that [`renders`] says is shown. Other kinds steer the
    /// drain loop and leave no trace here.
    pub fn event(&mut self, header: Header, record: &[u8]) -> Result<(), RenderError> {
        match header.kind {
            EventKind::Printf => self.printf(header.id, record)?,
            EventKind::Value => self.value(header.id, record)?,
            EventKind::Time => self.time(header.id)?,
            EventKind::Action => self.action(header.id, record)?,
            EventKind::Join => self.join(header.id, record)?,
            EventKind::RuntimeError | EventKind::HelperError => self.fault(header, record)?,
            EventKind::PrintMap
            | EventKind::ClearMap
            | EventKind::ZeroMap
            | EventKind::Exit
            | EventKind::Unwatch => {}
        }
        self.done()
    }

    /// Shows a map's contents, as `print` asks for it. A scalar that was never set shows its zero.
    pub fn map(&mut self, id: MapId, rows: &MapRows, cut: Cut) -> Result<(), RenderError> {
        let map = self.metadata.maps.get(id.index()).ok_or(RenderError::Unknown { what: "map", id: id.0 })?;
        let unset = if map.key.is_none() && rows.is_empty() { maps::unset(map) } else { None };
        let rows = unset.as_ref().unwrap_or(rows);
        let entries = maps::entries(map, rows, cut).map_err(|error| RenderError::Short {
            what: "map",
            id: id.0,
            error,
        })?;
        let contents = Contents { name: &map.name, keyed: map.key.is_some(), entries: &entries };
        self.sink.map(self.output.pending(), &mut self.context, contents);
        self.done()
    }

    /// Says how many probes are attached.
    pub fn attached(&mut self, probes: u64) -> Result<(), RenderError> {
        let to = Streams { out: self.output.pending(), messages: &mut self.messages };
        self.sink.attached(to, probes);
        self.done()
    }

    /// Says that an iterator was pinned to a file.
    pub fn pinned(&mut self, path: &str) -> Result<(), RenderError> {
        self.sink.pinned(self.output.pending(), path);
        self.done()
    }

    /// Says that events were lost, `events` of them since the last time.
    pub fn lost(&mut self, events: u64) -> Result<(), RenderError> {
        let to = Streams { out: self.output.pending(), messages: &mut self.messages };
        self.sink.lost(to, events);
        self.done()
    }

    /// Says at the end on standard error which probes lost how many events in all. `losses` has a number for
    /// each program; nothing is said when all are 0.
    pub fn lost_in_all(&mut self, losses: &[u64]) -> Result<(), RenderError> {
        let total: u64 = losses.iter().sum();
        if total == 0 {
            return Ok(());
        }
        let mut text = format!("WARNING: Total lost event count: {total}\n");
        for (program, lost) in self.metadata.programs.iter().zip(losses).filter(|(_, lost)| **lost > 0) {
            let names: Vec<_> = program.attach.iter().map(|point| point.name.display()).collect();
            text += &format!("  {lost} of {}\n", names.join(","));
        }
        self.messages.extend_from_slice(text.as_bytes());
        self.done()
    }

    /// Ends the events. The maps of [`Self::maps_at_exit`] follow, each by [`Self::map_at_exit`].
    pub fn end(&mut self) -> Result<(), RenderError> {
        self.sink.end(self.output.pending());
        self.done()
    }

    /// The maps that are shown at the end, in order; none when the script does not want that.
    pub fn maps_at_exit(&self) -> Vec<MapId> {
        if !self.metadata.config.print_maps_on_exit {
            return Vec::new();
        }
        let mut maps: Vec<_> = (0..self.metadata.maps.len() as u32).map(MapId).collect();
        maps.sort_by_key(|id| &self.metadata.maps[id.index()].name);
        maps
    }

    /// Shows a map at the end, unless nothing is set in it.
    pub fn map_at_exit(&mut self, id: MapId, rows: &MapRows) -> Result<(), RenderError> {
        if rows.is_empty() { Ok(()) } else { self.map(id, rows, Cut::default()) }
    }

    /// To be called before the tool sleeps: hands complete lines over, unless `-B full` was given.
    pub fn batch_done(&mut self) -> Result<(), RenderError> {
        Ok(self.output.batch_done()?)
    }

    /// Hands everything over.
    pub fn flush(&mut self) -> Result<(), RenderError> {
        Ok(self.output.flush()?)
    }

    /// The sources of names.
    pub fn names(&mut self) -> &mut Names<'m> {
        &mut self.context.names
    }

    fn printf(&mut self, id: u32, record: &[u8]) -> Result<(), RenderError> {
        let template = self.templates.get(id as usize).ok_or(RenderError::Unknown { what: "printf", id })?;
        self.text.clear();
        template.render(&mut self.text, &mut self.context, record).map_err(|error| RenderError::Short {
            what: "printf",
            id,
            error,
        })?;
        self.sink.printf(self.output.pending(), &self.text);
        Ok(())
    }

    fn value(&mut self, id: u32, record: &[u8]) -> Result<(), RenderError> {
        let ty = self.metadata.values.get(id as usize).ok_or(RenderError::Unknown { what: "value", id })?;
        let payload = record.get(Header::SIZE as usize..).unwrap_or_default();
        let value =
            Value::read(ty, payload).map_err(|error| RenderError::Short { what: "value", id, error })?;
        self.sink.value(self.output.pending(), &mut self.context, &value);
        Ok(())
    }

    fn time(&mut self, id: u32) -> Result<(), RenderError> {
        let format = self.times.get(id as usize).ok_or(RenderError::Unknown { what: "time", id })?;
        self.text.clear();
        self.context.wall_time(&mut self.text, machine::now(Clock::Real), format);
        self.sink.time(self.output.pending(), &self.text);
        Ok(())
    }

    fn fault(&mut self, header: Header, record: &[u8]) -> Result<(), RenderError> {
        if !self.warnings {
            return Ok(());
        }
        let id = SiteId(header.id);
        let site =
            self.metadata.sites.get(id.index()).ok_or(RenderError::Unknown { what: "site", id: id.0 })?;
        let result = match header.kind {
            // Errors are ints to the kernel, and until 6.3 it left the upper half of some to chance.
            EventKind::HelperError => i64::from(decode::long(record, Header::SIZE as usize) as i32),
            _ => 0,
        };
        let fault = faults::report(self.metadata, site, result, self.source);
        let to = Streams { out: self.output.pending(), messages: &mut self.messages };
        self.sink.fault(to, &fault);
        Ok(())
    }

    /// Ends whatever was appended.
    fn done(&mut self) -> Result<(), RenderError> {
        for note in self.context.names.take_notes() {
            self.messages.extend_from_slice(format!("WARNING: {note}\n").as_bytes());
        }
        if !self.messages.is_empty() {
            let messages = std::mem::take(&mut self.messages);
            self.output.message(&messages)?;
        }
        Ok(self.output.event_done()?)
    }
}

/// Whether [`Renderer::event`] shows records of this kind; the others are the drain loop's.
pub fn renders(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Printf
            | EventKind::Value
            | EventKind::Time
            | EventKind::Action
            | EventKind::Join
            | EventKind::RuntimeError
            | EventKind::HelperError
    )
}

#[cfg(test)]
mod tests;
