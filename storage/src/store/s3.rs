//! Places in S3, or in a store that speaks its protocol.
//!
//! In: `s3://bucket/prefix` and how to reach it. Out: a [`Location`]. Requests go over TLS, always: an endpoint that is
//! not `https` is refused. Credentials come from a file that only its owner can read, or from the platform on which the
//! program runs (a role of the machine, the container or the workload); never out of the URL.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{Certificate, ClientOptions, RetryConfig};
use url::Url;
use zeroize::Zeroizing;

use super::{Location, ObjectOptions};
use crate::crypto::Secret;
use crate::error::{Error, Result};

/// Beginning of the URLs.
pub const SCHEME: &str = "s3";
/// Longest file of credentials.
const CREDENTIALS_MAX: u64 = 64 << 10;
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const RETRIES: usize = 5;
const RETRY_TIMEOUT: Duration = Duration::from_secs(90);
/// What a platform says of the identity that it gives to a program; none of it is a secret.
pub const PLATFORM_VARIABLES: [&str; 8] = [
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// How to reach a store.
#[derive(Debug, Default)]
pub struct S3Settings {
    /// Region of the bucket; the platform's own when none is given.
    pub region: Option<String>,
    /// Of a store that is not Amazon's: `https://…`.
    pub endpoint: Option<String>,
    /// The bucket is a part of the endpoint's host name, not of the path.
    pub virtual_hosted: bool,
    /// Who asks; without them the platform says it.
    pub credentials: Option<S3Credentials>,
    /// Certificates, as PEM, that are trusted beside the system's own.
    pub certificates: Option<Vec<u8>>,
    /// What the platform says of the program's identity: those of [`PLATFORM_VARIABLES`] that are set. Keys are not among
    /// them, and none is taken from here.
    pub platform: Vec<(String, String)>,
    /// Leases, and where imports put what waits.
    pub objects: ObjectOptions,
}

/// A key of the store.
pub struct S3Credentials {
    key_id: String,
    secret: Secret,
    token: Option<Secret>,
}

impl S3Credentials {
    /// The profile of a file in the form of `~/.aws/credentials`, which only its owner can read.
    ///
    /// # Errors
    /// The file is open to others, or has no such profile.
    pub fn read(path: &Path, profile: &str) -> Result<Self> {
        let shown = path.display().to_string();
        let fail = |error| Error::io("read", shown.clone(), error);
        let file = File::open(path).map_err(fail)?;
        let found = file.metadata().map_err(fail)?;
        if found.mode() & 0o077 != 0 {
            return Err(mismatch(&shown, "others can read it; make it private: chmod 600"));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(CREDENTIALS_MAX).read_to_string(&mut text).map_err(fail)?;
        Self::parse(&text, profile).ok_or_else(|| {
            mismatch(
                &shown,
                &format!("it has no profile `{profile}` with aws_access_key_id and aws_secret_access_key"),
            )
        })
    }

    fn parse(text: &str, profile: &str) -> Option<Self> {
        let (mut key_id, mut secret, mut token) = (None, None, None);
        let mut is_meant = false;
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                is_meant = name.trim() == profile;
            } else if let Some((name, value)) = line.split_once('=').filter(|_| is_meant) {
                let value = value.trim();
                match name.trim() {
                    "aws_access_key_id" => key_id = Some(value.to_owned()),
                    "aws_secret_access_key" => secret = Some(Secret::new(value.to_owned())),
                    "aws_session_token" => token = Some(Secret::new(value.to_owned())),
                    _ => {}
                }
            }
        }
        Some(Self { key_id: key_id?, secret: secret?, token })
    }
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Credentials").finish_non_exhaustive()
    }
}

impl Location {
    /// A place in S3: `s3://bucket/prefix`.
    ///
    /// # Errors
    /// The URL or a setting makes no sense, or the endpoint is not `https`.
    pub fn s3(url: &str, settings: &S3Settings) -> Result<Self> {
        let wrong = |what: &str| mismatch(shown(url), what);
        let parsed = Url::parse(url).map_err(|_| wrong("it is no URL"))?;
        if parsed.scheme() != SCHEME {
            return Err(wrong("datasets lie in directories, or under s3://bucket/prefix"));
        }
        let plain = parsed.username().is_empty()
            && parsed.password().is_none()
            && parsed.port().is_none()
            && parsed.query().is_none()
            && parsed.fragment().is_none();
        let bucket = parsed.host_str().filter(|_| plain);
        let bucket = bucket.ok_or_else(|| wrong("it is to be s3://bucket/prefix and nothing more"))?;
        let prefix = parsed.path().trim_matches('/');
        if prefix.is_empty() {
            return Err(wrong("a prefix is missing: s3://bucket/prefix; a bucket holds other things too"));
        }
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_virtual_hosted_style_request(settings.virtual_hosted)
            .with_retry(RetryConfig {
                max_retries: RETRIES,
                retry_timeout: RETRY_TIMEOUT,
                ..RetryConfig::default()
            });
        for (name, value) in &settings.platform {
            let key = PLATFORM_VARIABLES.contains(&name.as_str()).then(|| name.to_ascii_lowercase());
            if let Some(Ok(key)) = key.map(|key| key.parse::<AmazonS3ConfigKey>()) {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(region) = &settings.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &settings.endpoint {
            if !endpoint.starts_with("https://") {
                return Err(mismatch(
                    shown(endpoint),
                    "an endpoint is to be https://…; nothing is sent in the clear",
                ));
            }
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(S3Credentials { key_id, secret, token }) = &settings.credentials {
            builder = builder.with_access_key_id(key_id).with_secret_access_key(secret.expose());
            if let Some(token) = token {
                builder = builder.with_token(token.expose());
            }
        }
        let mut client = ClientOptions::new()
            .with_timeout(TIMEOUT)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_allow_http(false);
        if let Some(pem) = &settings.certificates {
            let bundle = Certificate::from_pem_bundle(pem);
            for certificate in bundle.map_err(|_| wrong("the certificates are no PEM"))? {
                client = client.with_root_certificate(certificate);
            }
        }
        let store = builder.with_client_options(client).build();
        let store = store.map_err(|_| wrong("the settings for it are not complete, or make no sense"))?;
        Self::named(Arc::new(store), prefix, format!("{SCHEME}://{bucket}"), settings.objects.clone())
    }
}

/// A URL in messages; one that may hold a password is not shown.
fn shown(url: &str) -> &str {
    if url.contains('@') { "the URL" } else { url }
}

fn mismatch(what: &str, problem: &str) -> Error {
    Error::Mismatch { table: what.to_owned(), what: problem.to_owned() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refused(url: &str, settings: &S3Settings) -> String {
        Location::s3(url, settings).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_place_is_refused() {
        let settings = S3Settings::default();
        for url in ["s3://", "s3://bucket", "s3://bucket/", "gs://bucket/x", "no url", "s3://a:b@bucket/x"] {
            assert!(!refused(url, &settings).is_empty());
        }
        assert!(refused("s3://bucket/x?y=z", &settings).contains("nothing more"));
        let told = refused("s3://a:secret@bucket/x", &settings);
        assert!(told.contains("nothing more") && !told.contains("secret"), "{told}");
    }

    #[test]
    fn nothing_is_sent_in_the_clear() {
        for endpoint in ["http://store.example", "HTTP://store.example", "store.example", "http://a:secret@b"]
        {
            let settings = S3Settings { endpoint: Some(endpoint.to_owned()), ..S3Settings::default() };
            let told = refused("s3://bucket/x", &settings);
            assert!(told.contains("https") && !told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn a_place_says_its_name_and_nothing_of_its_keys() {
        let credentials = S3Credentials::parse(
            "[other]\naws_access_key_id = no\n[default]\naws_access_key_id=AKIA1\naws_secret_access_key = s3cr3t/+=\n",
            "default",
        );
        assert_eq!(credentials.as_ref().unwrap().secret.expose(), "s3cr3t/+=");
        let settings = S3Settings {
            region: Some("eu-central-1".to_owned()),
            endpoint: Some("https://store.example".to_owned()),
            credentials,
            ..S3Settings::default()
        };
        let place = Location::s3("s3://bucket/hospital/data", &settings).unwrap();
        assert_eq!(place.to_string(), "s3://bucket/hospital/data");
        let said = format!("{settings:?} {place:?}");
        assert!(!said.contains("s3cr3t") && !said.contains("AKIA1"), "{said}");
        assert!(place.path().is_none());
    }

    #[test]
    fn credentials_that_others_can_read_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials");
        std::fs::write(&path, "[default]\naws_access_key_id=a\naws_secret_access_key=b\n").unwrap();
        let mode = |mode| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(&path, mode).unwrap();
        };
        mode(0o644);
        assert!(S3Credentials::read(&path, "default").unwrap_err().to_string().contains("chmod 600"));
        mode(0o600);
        S3Credentials::read(&path, "default").unwrap();
        assert!(S3Credentials::read(&path, "prod").unwrap_err().to_string().contains("`prod`"));
    }
}
