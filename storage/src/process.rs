//! What a process that holds keys does before anything else.
//!
//! In: nothing. Out: a process whose files are its owner's alone, which leaves no core file and whose panics name a
//! place in the source and no data. Programs that embed this crate decide themselves; the command line calls
//! [`harden`] first thing.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask};

use crate::error::{Error, Result};

/// umask 077, no core files, not dumpable (so not traceable by other processes of the user either), and a panic hook
/// that prints where the program failed but not the message, which could quote data.
///
/// # Errors
/// The operating system refuses.
pub fn harden() -> Result<()> {
    let refused = |error: rustix::io::Errno| Error::io("harden", "the process", error.into());
    umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(refused)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused)?;
    std::panic::set_hook(Box::new(|info| match info.location() {
        Some(place) => eprintln!(
            "internal error at {}:{}:{}; please report this place",
            file_name(place.file()),
            place.line(),
            place.column()
        ),
        None => eprintln!("internal error at an unknown place"),
    }));
    Ok(())
}

/// The path from the crate on: where the program was built is nobody's business.
fn file_name(path: &str) -> &str {
    path.rsplit_once("/src/").map_or(path, |(front, _)| {
        let crate_at = front.rfind('/').map_or(0, |slash| slash + 1);
        path.get(crate_at..).unwrap_or(path)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_place_of_a_panic_begins_at_its_crate() {
        assert_eq!(super::file_name("/home/somebody/x/storage/src/file/read.rs"), "storage/src/file/read.rs");
        assert_eq!(super::file_name("storage/src/lib.rs"), "storage/src/lib.rs");
        assert_eq!(super::file_name("main.rs"), "main.rs");
    }
}
