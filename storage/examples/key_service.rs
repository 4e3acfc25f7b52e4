//! A keyring that an outside key service opens: the [`KeyProvider`] trait, worked through.
//!
//! The service of this example is a thread behind a Unix socket. Its key never leaves it: it wraps and unwraps what it
//! is sent, as a key management service or a hardware module does, and it can be stopped. It is a toy in one respect
//! only: it forgets its key when the program ends.
//!
//! ```text
//! cargo run -p hyperseg-storage --example key_service
//! ```

use std::error::Error;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Tag};
use hyperseg_storage::keyring::{KeyProvider, Keyring, NewSlot, ProviderError, Unlock};
use hyperseg_storage::{Dataset, InitOptions};
use zeroize::Zeroizing;

const WRAP: u8 = 1;
const UNWRAP: u8 = 2;
const DONE: u8 = 0;
const PART_MAX: usize = 64 << 10;

/// The client: what a program links, and what it hands to [`Unlock::Provider`] and [`NewSlot::Provider`].
#[derive(Debug)]
struct SocketService {
    name: String,
    socket: PathBuf,
}

impl SocketService {
    fn ask(&self, verb: u8, context: &[u8], bytes: &[u8]) -> Result<Vec<u8>, ProviderError> {
        // What the service says is shown to people: the kind of an error, never bytes.
        let unreachable = |error: io::Error| ProviderError(format!("it cannot be reached: {}", error.kind()));
        let mut stream = UnixStream::connect(&self.socket).map_err(unreachable)?;
        stream.write_all(&[verb]).map_err(unreachable)?;
        for part in [context, bytes] {
            put(&mut stream, part).map_err(unreachable)?;
        }
        let mut status = [0];
        stream.read_exact(&mut status).map_err(unreachable)?;
        let answer = take(&mut stream).map_err(unreachable)?;
        if status == [DONE] { Ok(answer) } else { Err(ProviderError("it did not wrap these bytes".into())) }
    }
}

impl KeyProvider for SocketService {
    fn name(&self) -> &str {
        &self.name
    }

    fn wrap(&self, context: &[u8], secret: &[u8; 32]) -> Result<Vec<u8>, ProviderError> {
        self.ask(WRAP, context, secret)
    }

    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, ProviderError> {
        let secret = Zeroizing::new(self.ask(UNWRAP, context, wrapped)?);
        let bytes =
            secret.as_slice().try_into().map_err(|_| ProviderError("its answer is no secret".into()))?;
        Ok(Zeroizing::new(bytes))
    }
}

/// The service: it alone has the key.
fn serve(listener: &UnixListener, stop: &AtomicBool) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice())?;
    let cipher = Aes256Gcm::new(&(*key).into());
    for stream in listener.incoming() {
        if stop.load(Ordering::Acquire) {
            return Ok(());
        }
        // A client that talks nonsense or goes away is no reason for the service to end.
        drop(stream.and_then(|mut stream| answer(&cipher, &mut stream)));
    }
    Ok(())
}

fn answer(cipher: &Aes256Gcm, stream: &mut UnixStream) -> io::Result<()> {
    let mut verb = [0];
    stream.read_exact(&mut verb)?;
    let (context, bytes) = (take(stream)?, Zeroizing::new(take(stream)?));
    let result = match verb {
        [WRAP] => wrap(cipher, &context, &bytes),
        [UNWRAP] => unwrap(cipher, &context, &bytes),
        _ => None,
    };
    stream.write_all(&[u8::from(result.is_none())])?;
    put(stream, &Zeroizing::new(result.unwrap_or_default()))
}

/// `nonce ‖ tag ‖ ciphertext`, with the context authenticated.
fn wrap(cipher: &Aes256Gcm, context: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).ok()?;
    let mut body = secret.to_vec();
    let tag = cipher.encrypt_inout_detached(&nonce.into(), context, body.as_mut_slice().into()).ok()?;
    Some([nonce.as_slice(), &tag, &body].concat())
}

fn unwrap(cipher: &Aes256Gcm, context: &[u8], wrapped: &[u8]) -> Option<Vec<u8>> {
    let (nonce, rest) = wrapped.split_first_chunk::<12>()?;
    let (tag, body) = rest.split_first_chunk::<16>()?;
    let (mut body, tag): (_, Tag) = (body.to_vec(), (*tag).into());
    cipher.decrypt_inout_detached(&(*nonce).into(), context, body.as_mut_slice().into(), &tag).ok()?;
    Some(body)
}

fn put(stream: &mut UnixStream, part: &[u8]) -> io::Result<()> {
    let length = u32::try_from(part.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(part)
}

fn take(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > PART_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut part = vec![0; length];
    stream.read_exact(&mut part)?;
    Ok(part)
}

fn main() -> Result<(), Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let socket = place.path().join("service.socket");
    let stop = Arc::new(AtomicBool::new(false));
    let listener = UnixListener::bind(&socket)?;
    let thread = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || serve(&listener, &stop))
    };
    let service = || Arc::new(SocketService { name: "socket:example/1".to_owned(), socket: socket.clone() });

    // A dataset whose keyring a key file opens, and then the service too.
    let (dir, keyring) = (place.path().join("data"), place.path().join("keys/ring"));
    let (dataset, _kit) = Dataset::init(&dir, &keyring, InitOptions::default())?;
    let by_file = Keyring::default_unlock(&keyring);
    let added = dataset.add_slot(&by_file, &NewSlot::Provider(service()), None, None)?;
    println!("added the slot {} of {}", added.slot.id, added.slot.service.unwrap_or_default());

    // From now on the key file can go: the service opens the keyring, as long as it is there.
    std::fs::remove_file(keyring.with_extension("key"))?;
    let generation = open(&dir, &keyring, &Unlock::Provider(service()))?.snapshot()?.generation();
    println!("opened generation {generation} by the service");

    stop.store(true, Ordering::Release);
    // One more connection, so that the service sees that it is to stop.
    drop(UnixStream::connect(&socket)?);
    thread.join().map_err(|_| "the service panicked")?.map_err(|error| error.to_string())?;
    match open(&dir, &keyring, &Unlock::Provider(service())) {
        Ok(_) => Err("the dataset opened without its service".into()),
        Err(error) => {
            println!("without it: {error}");
            Ok(())
        }
    }
}

fn open(dir: &Path, keyring: &Path, unlock: &Unlock) -> Result<Dataset, hyperseg_storage::Error> {
    Dataset::open(dir, Keyring::open(keyring, dir, unlock)?)
}
