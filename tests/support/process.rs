//! Running programs with a time limit, and watching them while they run.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a program of a test may take. It only ends what hangs, so it is far above what a machine needs that is slow and
/// does other work as well.
pub const LIMIT: Duration = Duration::from_secs(240);

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Finished {
    /// Fails unless the exit code is `code`, showing what the program said.
    pub fn expect_code(self, code: i32) -> Result<Finished, String> {
        if self.code == Some(code) {
            return Ok(self);
        }
        Err(format!(
            "exit code {:?} instead of {code}\n--- stdout\n{}--- stderr\n{}",
            self.code, self.stdout, self.stderr
        ))
    }
}

/// Runs `command` to its end, without input.
pub fn run(command: &mut Command) -> Result<Finished, String> {
    Running::start(command)?.finish()
}

/// Runs `command` to its end, and tells the time that it and what it started spent on processors, which does not grow
/// while it waits for other work. `record` is a file for the shell's account of it.
pub fn run_measured(command: &Command, record: &Path) -> Result<(Finished, Duration), String> {
    let mut shell = Command::new("sh");
    shell.args(["-c", "\"$@\"; code=$?; times >\"$0\"; exit $code"]).arg(record);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    let finished = run(&mut shell)?;
    let account = std::fs::read_to_string(record).map_err(|error| error.to_string())?;
    let time = children_time(&account).ok_or_else(|| format!("not an account of times: {account}"))?;
    Ok((finished, time))
}

/// The second line of what `times` prints, user and system time of the shell's children: `0m1.500000s 0m0.250000s`.
fn children_time(account: &str) -> Option<Duration> {
    let words = account.lines().nth(1)?.split_whitespace();
    let time = |word: &str| {
        let (minutes, seconds) = word.strip_suffix('s')?.split_once('m')?;
        Some(Duration::from_secs_f64(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?))
    };
    words.map(time).sum()
}

/// Starts a program that was written a moment ago. Where another thread starts one of its own meanwhile, that child holds
/// the file open for writing until it becomes another program, and the kernel refuses to run it (ETXTBSY).
pub fn patiently<T>(mut start: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    let begun = Instant::now();
    loop {
        match start() {
            Err(error)
                if error.kind() == std::io::ErrorKind::ExecutableFileBusy && begun.elapsed() < LIMIT =>
            {
                std::thread::sleep(Duration::from_millis(2));
            }
            other => return other,
        }
    }
}

/// One of the two output streams, collected while the program runs.
#[derive(Default)]
struct Collected {
    bytes: Mutex<Vec<u8>>,
    grew: Condvar,
}

impl Collected {
    fn text(&self) -> String {
        let bytes = self.bytes.lock().expect("readers do not panic");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A program that runs. Dropping it kills it.
pub struct Running {
    child: Child,
    what: String,
    stdout: Arc<Collected>,
    stderr: Arc<Collected>,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts `command` and collects what it prints.
    pub fn start(command: &mut Command) -> Result<Running, String> {
        let what = format!("{command:?}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            patiently(|| command.spawn()).map_err(|error| format!("cannot start {what}: {error}"))?;
        let (stdout, stderr) = (Arc::default(), Arc::default());
        let mut readers = Vec::new();
        if let Some(stream) = child.stdout.take() {
            readers.push(collect(stream, Arc::clone(&stdout)));
        }
        if let Some(stream) = child.stderr.take() {
            readers.push(collect(stream, Arc::clone(&stderr)));
        }
        Ok(Running { child, what, stdout, stderr, readers })
    }

    /// Starts a tool and waits until it says that it is attached.
    pub fn start_attached(command: &mut Command) -> Result<Running, String> {
        let mut running = Running::start(command)?;
        running.wait_for_stderr("Attached ")?;
        Ok(running)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed to standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Writes to the program's standard input.
    pub fn type_in(&mut self, text: &str) -> Result<(), String> {
        let stdin = self.child.stdin.as_mut().ok_or("standard input is closed")?;
        stdin
            .write_all(text.as_bytes())
            .and_then(|()| stdin.flush())
            .map_err(|error| format!("{} does not read its input: {error}", self.what))
    }

    /// Waits until standard output holds `text`.
    pub fn wait_for_stdout(&mut self, text: &str) -> Result<(), String> {
        let stream = Arc::clone(&self.stdout);
        self.wait_for(&stream, text)
    }

    /// Waits until standard error holds `text`.
    pub fn wait_for_stderr(&mut self, text: &str) -> Result<(), String> {
        let stream = Arc::clone(&self.stderr);
        self.wait_for(&stream, text)
    }

    /// Sends a signal by its name without `SIG`.
    pub fn signal(&self, name: &str) -> Result<(), String> {
        let status = Command::new("sh")
            .args(["-c", "kill -\"$0\" \"$1\"", name, &self.pid().to_string()])
            .status()
            .map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("cannot signal {}", self.what)) }
    }

    /// Closes the input and waits for the end.
    pub fn finish(mut self) -> Result<Finished, String> {
        drop(self.child.stdin.take());
        let status = self.wait_for_end()?;
        // The readers end with the streams; a grandchild that holds a stream open would hang them.
        let start = Instant::now();
        while self.readers.iter().any(|reader| !reader.is_finished()) {
            if start.elapsed() > LIMIT {
                return Err(format!("{} ended, but something holds its output open", self.what));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(Finished { code: status.code(), stdout: self.stdout.text(), stderr: self.stderr.text() })
    }

    fn wait_for_end(&mut self) -> Result<ExitStatus, String> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return Ok(status);
            }
            if start.elapsed() > LIMIT {
                return Err(self.explain(&format!("did not end within {LIMIT:?}")));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn wait_for(&mut self, stream: &Collected, text: &str) -> Result<(), String> {
        let start = Instant::now();
        loop {
            let bytes = stream.bytes.lock().expect("readers do not panic");
            let (bytes, _) = stream
                .grew
                .wait_timeout_while(bytes, Duration::from_millis(20), |bytes| {
                    !String::from_utf8_lossy(bytes).contains(text)
                })
                .expect("readers do not panic");
            if String::from_utf8_lossy(&bytes).contains(text) {
                return Ok(());
            }
            drop(bytes);
            let ended = self.child.try_wait().map_err(|error| error.to_string())?.is_some();
            if ended && self.readers.iter().all(JoinHandle::is_finished) {
                // The last bytes may have come between the look and the end.
                if String::from_utf8_lossy(&stream.bytes.lock().expect("unpoisoned")).contains(text) {
                    return Ok(());
                }
                return Err(self.explain(&format!("ended without printing {text:?}")));
            }
            if start.elapsed() > LIMIT {
                return Err(self.explain(&format!("did not print {text:?} within {LIMIT:?}")));
            }
        }
    }

    fn explain(&self, problem: &str) -> String {
        format!(
            "{} {problem}\n--- stdout\n{}--- stderr\n{}",
            self.what,
            self.stdout.text(),
            self.stderr.text()
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut stream: impl Read + Send + 'static, into: Arc<Collected>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            into.bytes.lock().expect("waiters do not panic").extend(&buffer[..count]);
            into.grew.notify_all();
        }
    })
}
