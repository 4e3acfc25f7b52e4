//! Settings: configuration file, then environment, then options; the later wins. Never secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use hyperseg_storage::store::{ObjectOptions, PLATFORM_VARIABLES, S3Credentials, S3Settings};
use serde::Deserialize;

use crate::failure::{Failure, Outcome};
use crate::output::Format;
use crate::terminal::ColorChoice;

/// Longest configuration file.
const CONFIG_BYTES_MAX: u64 = 64 * 1024;
/// Words in a key that mean a secret.
const SECRET_WORDS: [&str; 7] =
    ["secret", "passphrase", "password", "token", "recovery", "credential", "private"];

/// What the configuration file may set, and the environment as `HYPERSEG_…`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Directory of the dataset, or its place in an object store.
    pub dataset: Option<PathBuf>,
    /// Keyring file.
    pub keyring: Option<PathBuf>,
    /// Form of reports.
    pub format: Option<String>,
    /// On whose behalf.
    pub actor: Option<String>,
    /// Purpose.
    pub purpose: Option<String>,
    /// When to colour.
    pub color: Option<String>,
    /// How old consent may be for a release.
    pub consent_max_age: Option<String>,
    /// How object stores are reached.
    #[serde(default)]
    pub s3: S3,
}

/// How object stores are reached; of their keys only where they lie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// Region of the bucket.
    pub region: Option<String>,
    /// Of a store that is not Amazon's.
    pub endpoint: Option<String>,
    /// The bucket is in the host's name.
    #[serde(default)]
    pub virtual_hosted: bool,
    /// File in the form of `~/.aws/credentials`.
    pub credentials_file: Option<PathBuf>,
    /// Which of its profiles.
    pub profile: Option<String>,
    /// Certificates, as PEM, that are trusted beside the system's own.
    pub certificates_file: Option<PathBuf>,
    /// Directory for what waits during an import, sealed.
    pub scratch: Option<PathBuf>,
}

impl S3 {
    /// The same as the store takes it. Without a file of credentials the platform says who asks.
    pub fn store(&self, environment: &Environment) -> Outcome<S3Settings> {
        let profile = self.profile.as_deref().unwrap_or("default");
        let credentials = self.credentials_file.as_deref().map(|path| S3Credentials::read(path, profile));
        let certificates = self
            .certificates_file
            .as_deref()
            .map(|path| std::fs::read(path).map_err(|error| Failure::file("read", path, &error)));
        Ok(S3Settings {
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            virtual_hosted: self.virtual_hosted,
            credentials: credentials.transpose()?,
            certificates: certificates.transpose()?,
            platform: environment.those_of(&PLATFORM_VARIABLES),
            objects: ObjectOptions { scratch: self.scratch.clone(), ..ObjectOptions::default() },
        })
    }
}

/// The environment as the process found it.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// Every variable that is text.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { variables: std::env::vars_os().filter_map(text).collect() }
    }

    /// Those of some variables that are set.
    pub fn those_of(&self, names: &[&str]) -> Vec<(String, String)> {
        let set = names.iter().filter_map(|name| Some((*name, self.get(name)?)));
        set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Directory of the user's configuration: `$XDG_CONFIG_HOME/hyperseg` or `~/.config/hyperseg`.
    pub fn config_dir(&self) -> Option<PathBuf> {
        let base = match self.get("XDG_CONFIG_HOME") {
            Some(dir) => PathBuf::from(dir),
            None => PathBuf::from(self.get("HOME")?).join(".config"),
        };
        Some(base.join("hyperseg"))
    }
}

impl Settings {
    /// Reads the configuration file and lays the environment over it.
    pub fn load(environment: &Environment) -> Outcome<Self> {
        let file = match environment.get("HYPERSEG_CONFIG") {
            Some(path) => Self::read(Path::new(path))?,
            None => match environment.config_dir().map(|dir| dir.join("config.toml")) {
                Some(path) if path.exists() => Self::read(&path)?,
                _ => Self::default(),
            },
        };
        let text = |name: &str, below: Option<String>| environment.get(name).map(str::to_owned).or(below);
        let path = |name: &str, below: Option<PathBuf>| environment.get(name).map(PathBuf::from).or(below);
        Ok(Self {
            dataset: path("HYPERSEG_DATASET", file.dataset),
            keyring: path("HYPERSEG_KEYRING", file.keyring),
            format: text("HYPERSEG_FORMAT", file.format),
            actor: text("HYPERSEG_ACTOR", file.actor),
            purpose: text("HYPERSEG_PURPOSE", file.purpose),
            color: text("HYPERSEG_COLOR", file.color),
            consent_max_age: text("HYPERSEG_CONSENT_MAX_AGE", file.consent_max_age),
            s3: file.s3,
        })
    }

    /// The format that file or environment ask for.
    pub fn format(&self) -> Outcome<Option<Format>> {
        self.format.as_deref().map(|text| choice("format", text)).transpose()
    }

    /// The colour choice of file or environment.
    pub fn color(&self) -> Outcome<Option<ColorChoice>> {
        self.color.as_deref().map(|text| choice("color", text)).transpose()
    }

    fn read(path: &Path) -> Outcome<Self> {
        let failed = |error: &std::io::Error| Failure::file("read", path, error);
        let length = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
        if length > CONFIG_BYTES_MAX {
            return Err(Failure::usage(format!(
                "{} is longer than {CONFIG_BYTES_MAX} bytes",
                path.display()
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
        Self::parse(&text).map_err(|problem| Failure::usage(format!("{}: {problem}", path.display())))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| problem(text, &error))?;
        if let Some(key) = table.keys().find(|key| looks_secret(key)) {
            return Err(format!(
                "`{key}` looks like a secret; secrets are never read from the configuration, only from a key file, \
                 --passphrase-file, --recovery-file or the terminal"
            ));
        }
        toml::from_str(text).map_err(|error| problem(text, &error))
    }
}

/// The message and line of an error; the text itself is not quoted.
pub fn problem(text: &str, error: &toml::de::Error) -> String {
    let line =
        error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
    match line {
        Some(line) => format!("line {line}: {}", error.message()),
        None => error.message().to_owned(),
    }
}

fn looks_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let named_key = key == "key" || key.ends_with("_key") || key.ends_with("-key");
    named_key || SECRET_WORDS.iter().any(|word| key.contains(word))
}

fn choice<T: ValueEnum>(name: &str, text: &str) -> Outcome<T> {
    T::from_str(text, true).map_err(|_| {
        let names: Vec<String> = T::value_variants()
            .iter()
            .filter_map(|v| v.to_possible_value())
            .map(|v| v.get_name().to_owned())
            .collect();
        Failure::usage(format!("setting `{name}` is none of {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn refuses_secrets_and_unknown_keys() {
        for text in ["passphrase = \"x\"", "api_key = \"x\"", "recovery_kit = \"x\"", "Token = 1"] {
            assert!(Settings::parse(text).unwrap_err().contains("secret"), "{text}");
        }
        assert!(Settings::parse("datasets = \"x\"").unwrap_err().contains("unknown field"));
        let read = Settings::parse("dataset = \"/d\"\nkeyring = \"/k\"\nformat = \"json\"").unwrap();
        assert_eq!(read.dataset, Some(PathBuf::from("/d")));
        assert_eq!(read.format().unwrap(), Some(Format::Json));
    }

    #[test]
    fn environment_wins_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, "dataset = \"/file\"\nactor = \"ann\"\n").unwrap();
        let variables = [("HYPERSEG_CONFIG", path.to_str().unwrap()), ("HYPERSEG_DATASET", "/env")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let settings = Settings::load(&Environment { variables }).unwrap();
        assert_eq!(settings.dataset, Some(PathBuf::from("/env")));
        assert_eq!(settings.actor.as_deref(), Some("ann"));
    }

    #[test]
    fn a_wrong_choice_names_the_right_ones() {
        let settings = Settings { format: Some("xml".to_owned()), ..Settings::default() };
        assert!(settings.format().unwrap_err().message.contains("table, json"));
    }
}
