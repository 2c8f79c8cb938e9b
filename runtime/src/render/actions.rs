//! Formatted texts with something to be done with them: `errorf`, `warnf`, `cat`, `system`; and `join`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use btaot_abi::event::Header;
use btaot_abi::metadata::{ActionKind, JOIN_LIMIT};

use super::sink::{Origin, Said, Streams};
use super::{RenderError, Renderer, decode, faults};
use crate::sys::process;

impl Renderer<'_> {
    /// Does what an action says.
    pub(super) fn action(&mut self, id: u32, record: &[u8]) -> Result<(), RenderError> {
        let unknown = RenderError::Unknown { what: "action", id };
        let (Some(action), Some(template)) =
            (self.metadata.actions.get(id as usize), self.action_texts.get(id as usize))
        else {
            return Err(unknown);
        };
        self.text.clear();
        template.render(&mut self.text, &mut self.context, record).map_err(|error| RenderError::Short {
            what: "action",
            id,
            error,
        })?;
        match action.kind {
            ActionKind::Warning(_) if !self.warnings => {}
            ActionKind::Error(location) | ActionKind::Warning(location) => {
                let error = matches!(action.kind, ActionKind::Error(_));
                let to = Streams { out: self.output.pending(), messages: &mut self.messages };
                let said = Said { script: &self.metadata.script, location, error, text: &self.text };
                self.sink.said(to, &said);
            }
            ActionKind::Cat => self.cat(),
            ActionKind::System => self.system()?,
        }
        Ok(())
    }

    /// Shows the file that the text names.
    fn cat(&mut self) {
        let path = Path::new(OsStr::from_bytes(&self.text));
        match beginning(path, self.metadata.config.max_cat_bytes) {
            Ok(bytes) => self.sink.contents(self.output.pending(), Origin::File, &bytes),
            Err(error) => self.complain("cat()", &error),
        }
    }

    /// Runs the command that the text is, and shows its output. What was shown before is handed over first,
    /// because the command may write to the same places by itself.
    fn system(&mut self) -> Result<(), RenderError> {
        self.output.flush()?;
        match process::shell(&self.text) {
            Ok(bytes) => self.sink.contents(self.output.pending(), Origin::Command, &bytes),
            Err(error) => self.complain("system()", &error),
        }
        Ok(())
    }

    /// Says why what the text names cannot be shown.
    fn complain(&mut self, what: &str, error: &io::Error) {
        let text = String::from_utf8_lossy(&self.text);
        let error = faults::words(error);
        self.messages.extend_from_slice(format!("ERROR: {what}: {text}: {error}\n").as_bytes());
    }

    /// Shows joined texts.
    pub(super) fn join(&mut self, id: u32, record: &[u8]) -> Result<(), RenderError> {
        let separator =
            self.metadata.joins.get(id as usize).ok_or(RenderError::Unknown { what: "join", id })?;
        let count = decode::long(record, Header::SIZE as usize).min(JOIN_LIMIT.into()) as usize;
        let texts = record.get(Header::SIZE as usize + 8..).unwrap_or_default();
        self.text.clear();
        let room = self.metadata.config.max_strlen as usize;
        for (index, text) in texts.chunks(room.max(1)).take(count).enumerate() {
            if index > 0 {
                self.text.extend_from_slice(separator);
            }
            self.text.extend_from_slice(decode::until_nul(text));
        }
        self.sink.joined(self.output.pending(), &self.text);
        Ok(())
    }
}

/// The first bytes of a file.
fn beginning(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
