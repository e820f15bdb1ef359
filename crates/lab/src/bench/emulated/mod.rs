//! The benchmark `instructions`: how many instructions a query and a connection take, in an emulated machine, where the
//! processor's counters cannot be had. Owns the machine's start and what it counted.
//!
//! QEMU's emulator executes every instruction itself, so that a plugin can count them, and its clock goes by them
//! (`-icount`): what else this machine does makes no difference, and two runs differ by less than a percent. It has one
//! processor: with two of them and such a clock it did not come to the end of its start.

mod guest;
mod image;
mod kernel;
mod plan;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::engine::Engine;
use super::figures::{COST, Figures, KINSTR, KINSTR_USER, OVERHEAD};
use super::limits::{Bound, Limit};
use super::rounds::{Case, Round};
use super::stage::Stage;
use super::{Bench, Cases, Upstream, capitana, peers};
use crate::lab::Lab;
use kernel::Kernel;
use plan::{LOADS, Load, MARK};

pub use guest::load;

pub(super) const BENCH: Bench = Bench {
    name: "instructions",
    about: "instructions of a point select and of a connection, all counted, in an emulated machine",
    unit: "query or connection",
    upstream: Upstream::Emulated,
    limits: &[
        Limit::ratio(&OVERHEAD, "haproxy", Bound::AtMost(0.75)).in_case("16 clients"),
        Limit::ratio(&OVERHEAD, "nginx", Bound::AtMost(0.95)).in_case("16 clients"),
        Limit::ratio(&OVERHEAD, "haproxy", Bound::AtMost(0.75)).in_case("64 clients"),
        Limit::ratio(&OVERHEAD, "nginx", Bound::AtMost(0.95)).in_case("64 clients"),
        Limit::ratio(&COST, "haproxy", Bound::AtMost(1.0)).in_case("connect"),
    ],
    cases: |stage| -> Cases<'_> { Box::pin(cases(stage)) },
};

const QEMU: &str = "qemu-system-x86_64";
const PLUGIN: &str = include_str!("count.c");
const MARKER: &str = include_str!("mark.c");
/// It takes two minutes on an idle machine.
const PATIENCE: Duration = Duration::from_secs(1800);
/// The programs with their debug information, unpacked and as they came, and what runs.
const MEMORY: &str = "4G";
/// No mitigation that only Intel's processors need; every address where the kernel's map has it; time by the instructions.
const LINUX: &str =
    "console=ttyS0 quiet nokaslr norandmaps tsc=reliable clocksource=tsc panic=-1 rdinit=/init";

/// The engines as the table has them. None is started here.
pub(super) fn engines() -> Result<Vec<Engine>> {
    let known = |name: &str| match name {
        "haproxy" => peers::version(peers::HAPROXY, "-v"),
        "nginx" => peers::version(peers::NGINX, "-v"),
        _ => String::new(),
    };
    let capitana = capitana::version()?;
    let version = |name: &str| if name == super::rounds::CAPITANA { capitana.clone() } else { known(name) };
    Ok(plan::engines().into_iter().map(|e| Engine::elsewhere(e.name, version(e.name), e.address)).collect())
}

async fn cases(stage: &Stage<'_>) -> Result<Vec<Case>> {
    let (lab, progress) = (stage.lab, stage.lab.progress());
    progress.say("building the machine");
    let directory = lab.slot().directory().join("machine");
    fs::create_dir_all(&directory)?;
    let (built, slot) = (directory.clone(), lab.slot().directory().to_owned());
    let machine = tokio::task::spawn_blocking(move || Machine::build(built, &slot)).await??;
    progress.say(format_args!("counting under Linux {}; that takes some minutes", machine.kernel.release));
    stage.kernel.get_or_init(|| machine.kernel.release.clone());
    let said = machine.run(lab).await?;
    let counts = fs::read_to_string(machine.counts()).context("the machine has counted nothing")?;
    let engines: Vec<_> = stage.engines.iter().map(|engine| engine.name).collect();
    read(&said, &counts, &engines).with_context(|| format!("the end of the machine's log:\n{}", tail(&said)))
}

/// All that QEMU needs.
struct Machine {
    directory: PathBuf,
    kernel: Kernel,
    image: PathBuf,
}

impl Machine {
    fn build(directory: PathBuf, lab: &Path) -> Result<Self> {
        let kernel = kernel::fetch(&directory)?;
        compile(&directory, ("count", PLUGIN), &["-shared", "-fPIC"])?;
        compile(&directory, ("mark", MARKER), &["-no-pie", &format!("-Wl,--section-start=.mark=0x{MARK}")])?;
        let image = image::make(&directory, lab)?;
        Ok(Self { directory, kernel, image })
    }

    fn counts(&self) -> PathBuf {
        self.directory.join("counts")
    }

    /// Runs it to its end; what it said on its console.
    async fn run(&self, lab: &Lab) -> Result<String> {
        let plugin = format!("file={},out={},mark={MARK}", self.at("count"), self.at("counts"));
        let (kernel, image) = (self.kernel.image.clone(), self.image.clone());
        let process = lab.process("qemu", move || {
            let mut command = Command::new(QEMU);
            command.args(["-machine", "q35", "-accel", "tcg,thread=single", "-cpu", "EPYC", "-smp", "1"]);
            command.args([
                "-icount",
                "shift=0,sleep=off",
                "-m",
                MEMORY,
                "-nographic",
                "-no-reboot",
                "-net",
                "none",
            ]);
            command.arg("-kernel").arg(&kernel).arg("-initrd").arg(&image);
            command.args(["-append", LINUX, "-plugin", &plugin]);
            Ok(command)
        })?;
        process.start().await.with_context(|| format!("`scripts/install bench` installs {QEMU}"))?;
        let status = process.wait_exit(PATIENCE).await?;
        ensure!(status.success(), "{QEMU} ended with {status}:\n{}", process.log_tail(15));
        Ok(String::from_utf8_lossy(&fs::read(process.log_path())?).into_owned())
    }

    fn at(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}

/// Compiles a program, or a module, into a directory.
fn compile(directory: &Path, (name, text): (&str, &str), options: &[&str]) -> Result<()> {
    let source = directory.join(format!("{name}.c"));
    fs::write(&source, text)?;
    let mut compiler = Command::new("cc");
    said(compiler.arg("-O2").args(options).arg("-o").arg(directory.join(name)).arg(&source)).map(drop)
}

/// The counts, two lines each, in the order in which the machine says what was counted.
fn read(said: &str, counts: &str, engines: &[&str]) -> Result<Vec<Case>> {
    let counted: Vec<_> = said.lines().filter_map(|line| line.trim().strip_prefix("counted ")).collect();
    let counts = counts.lines().map(instructions).collect::<Result<Vec<_>>>()?;
    let expected = engines.len() * LOADS.len();
    if counted.len() != expected || counts.len() != 2 * expected {
        bail!("{} loads of {expected} ran, {} marks were seen", counted.len(), counts.len());
    }
    let took = |engine: &str, load: &Load| -> Result<Figures> {
        let name = format!("{engine} {}", load.name);
        let index = counted.iter().position(|counted| *counted == name).context(name)?;
        let thousands = (load.clients * load.each) as f64 * 1000.0;
        let (before, after) = (counts[2 * index], counts[2 * index + 1]);
        let (user, kernel) = ((after.0 - before.0) / thousands, (after.1 - before.1) / thousands);
        Ok(Figures::from([(KINSTR, user + kernel), (KINSTR_USER, user)]))
    };
    let case = |load: &Load| -> Result<Case> {
        let legs = engines.iter().map(|engine| Ok(((*engine).to_owned(), took(engine, load)?)));
        Ok(Case { name: load.name.to_owned(), rounds: vec![Round::of(legs.collect::<Result<_>>()?)] })
    };
    LOADS.iter().map(case).collect()
}

/// Those of user space and of the kernel so far.
fn instructions(line: &str) -> Result<(f64, f64)> {
    let (user, kernel) = line.split_once(' ').with_context(|| format!("no counts: {line}"))?;
    Ok((user.parse()?, kernel.parse()?))
}

fn tail(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// What a program says; an error if it fails.
fn said(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {program}"))?;
    ensure!(
        output.status.success(),
        "{program}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::rounds::{CAPITANA, DIRECT};
    use super::*;

    /// Two engines: capitana takes twice the instructions in the kernel, and as many in user space.
    fn counted() -> (String, String) {
        let (mut said, mut counts, mut so_far) = (String::from("Booting\n"), String::new(), (7, 9));
        for (engine, kernel) in [(DIRECT, 1000), (CAPITANA, 2000)] {
            for load in &LOADS {
                said += &format!("a word of MariaDB's\ncounted {engine} {}\n", load.name);
                counts += &format!("{} {}\n", so_far.0, so_far.1);
                let units = load.clients * load.each;
                so_far = (so_far.0 + 1000 * units, so_far.1 + kernel * units);
                counts += &format!("{} {}\n", so_far.0, so_far.1);
            }
        }
        (said, counts)
    }

    #[test]
    fn what_lies_between_two_marks_is_what_the_load_took() {
        let (said, counts) = counted();
        let cases = read(&said, &counts, &[DIRECT, CAPITANA]).unwrap();
        for case in cases {
            assert_eq!(case.spread(DIRECT, KINSTR).unwrap().median, 2.0);
            assert_eq!(case.ratio(CAPITANA, DIRECT, KINSTR).unwrap().median, 1.5);
            assert_eq!(case.ratio(CAPITANA, DIRECT, KINSTR_USER).unwrap().median, 1.0);
        }
    }

    #[test]
    fn a_machine_that_ended_early_has_counted_nothing() {
        let (said, counts) = counted();
        let last = counts.trim_end().rfind('\n').unwrap();
        assert!(read(&said, &counts[..last], &[DIRECT, CAPITANA]).is_err());
        assert!(read("kernel panic", "", &[DIRECT, CAPITANA]).is_err());
    }
}
