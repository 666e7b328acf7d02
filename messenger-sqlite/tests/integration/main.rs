//! The parts of the store that the suite cannot see: files, crashes, disks, and time.
//!
//! Some cases start this program once more as a child that is killed: see `child`.

mod child;
mod disk;
mod dropped;
mod kill;
mod open;
mod power_loss;
mod said;
mod trace;
mod world;

use libtest_mimic::Arguments;

fn main() {
    if let Some(directory) = child::directory() {
        child::run(&directory);
        return;
    }
    let mut trials = Vec::new();
    open::trials(&mut trials);
    kill::trials(&mut trials);
    power_loss::trials(&mut trials);
    disk::trials(&mut trials);
    dropped::trials(&mut trials);
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}

/// Adds a case that runs on a tokio runtime.
macro_rules! case {
    ($trials:ident, $case:ident) => {
        $trials.push(libtest_mimic::Trial::test(
            concat!(module_path!(), "::", stringify!($case)).replace("integration::", ""),
            || $crate::world::runtime().block_on($case()),
        ))
    };
}
use case;
