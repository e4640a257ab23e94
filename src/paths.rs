//! Where things live on this machine, by the XDG rules: database in the data folder, index in the cache
//! folder, log in the state folder; the ears and the shipped models beside the program.

use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy, choose_base_strategy};

/// Name of our folder below the XDG folders.
const NAME: &str = "deepcuts";

/// The places that one run of the program uses.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The settings; need not exist.
    pub config: PathBuf,
    /// The database.
    pub database: PathBuf,
    /// Folder of the search index.
    pub index: PathBuf,
    /// Folder of the log.
    pub log: PathBuf,
    /// Folder of the user's own models.
    pub user_models: PathBuf,
}

/// Why there are no places.
#[derive(Debug, thiserror::Error)]
#[error("the home folder of this user is not known: set HOME, or name --config and --db")]
pub struct NoHome;

impl Paths {
    /// The places, with the settings and the database where the user named them. Another database brings its own
    /// index, log and models, beside it.
    ///
    /// # Errors
    /// When the home folder is not known and not both were named.
    pub fn new(config: Option<PathBuf>, database: Option<PathBuf>) -> Result<Self, NoHome> {
        let base = choose_base_strategy().map_err(|_| NoHome);
        let config = match config {
            Some(path) => path,
            None => base.as_ref().map_err(|_| NoHome)?.config_dir().join(NAME).join("config.toml"),
        };
        if let Some(database) = database {
            let beside = |suffix: &str| {
                let mut name = database.file_stem().unwrap_or_default().to_owned();
                name.push(suffix);
                database.with_file_name(name)
            };
            return Ok(Self {
                config,
                index: beside("-index"),
                log: beside("-log"),
                user_models: beside("-models"),
                database,
            });
        }
        let base = base?;
        let data = base.data_dir().join(NAME);
        Ok(Self {
            config,
            database: data.join("library.db"),
            index: base.cache_dir().join(NAME).join("index"),
            log: base.state_dir().unwrap_or_else(|| base.cache_dir()).join(NAME),
            user_models: data.join("models"),
        })
    }

    /// The lock file of the listener's role.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        let mut name = self.database.as_os_str().to_owned();
        name.push(".lock");
        name.into()
    }

    /// The weights that `model` means: a path, else a name in the user's models, else in the shipped ones.
    ///
    /// # Errors
    /// Says where it was looked for.
    pub fn model(&self, model: &str) -> Result<PathBuf, String> {
        if model.contains('/') || Path::new(model).extension().is_some_and(|e| e == "safetensors") {
            let path = PathBuf::from(model);
            return if path.exists() { Ok(path) } else { Err(format!("model {model}: there is no such file")) };
        }
        let places = [Some(self.user_models.clone()), shipped_models()];
        let tried: Vec<PathBuf> =
            places.into_iter().flatten().map(|dir| dir.join(format!("{model}.safetensors"))).collect();
        tried.iter().find(|path| path.exists()).cloned().ok_or_else(|| {
            let tried: Vec<String> = tried.iter().map(|p| p.display().to_string()).collect();
            format!("model {model}: not found (looked for {}); see `deepcuts models list`", tried.join(", "))
        })
    }
}

impl Paths {
    /// The weights to listen with: those that `model` means, but `cuts` for `deep` where the pretrained network that it
    /// listens through is not installed. [`stood_in`] says so to people.
    ///
    /// # Errors
    /// As [`Self::model`].
    pub fn model_in_use(&self, model: &str) -> Result<PathBuf, String> {
        let found = self.model(model);
        if model == DEEP && found.as_ref().map_or(true, |path| trunk_missing(path).is_some()) {
            return self.model(WITHOUT_TRUNK).or(found);
        }
        found
    }
}

/// The default network, and the one that is taken where its pretrained half is missing.
const DEEP: &str = "deep";
const WITHOUT_TRUNK: &str = "cuts";

/// Why the weights that were found for the name `model` are not those of that name, for people.
#[must_use]
pub fn stood_in(model: &str, found: &Path) -> Option<String> {
    if model != DEEP || found.file_stem().is_none_or(|stem| stem != WITHOUT_TRUNK) {
        return None;
    }
    let deep = found.with_file_name("deep.safetensors");
    let gone = || (!deep.exists()).then(|| "its weights are not among the models".to_owned());
    let why = trunk_missing(&deep).or_else(gone)?;
    Some(format!("deep cannot be used, and cuts, which hears less well, is taken: {why}"))
}

fn trunk_missing(weights: &Path) -> Option<String> {
    deepcuts_protocol::find_trunk(Some(weights)).err()
}

/// The folder of the shipped models: `PREFIX/share/deepcuts/models`, or `models/` of the checkout that the
/// program was built in.
#[must_use]
pub fn shipped_models() -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    let installed = exe.parent()?.parent()?.join("share").join(NAME).join("models");
    let checkout =
        exe.ancestors().map(|dir| dir.join("models")).find(|m| m.is_dir() && m.with_file_name("Cargo.toml").exists());
    [Some(installed), checkout].into_iter().flatten().find(|dir| dir.is_dir())
}

/// The ears: beside this program, in its libexec folder, or where DEEPCUTS_EARS says.
///
/// # Errors
/// Says where they were looked for.
pub fn ears() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("DEEPCUTS_EARS") {
        return Ok(path.into());
    }
    let exe = std::env::current_exe().map_err(|e| format!("the path of this program is not known: {e}"))?;
    let dir = exe.parent().unwrap_or(Path::new("."));
    let places = [
        dir.join("deepcuts-ears"),
        dir.join("../libexec/deepcuts/deepcuts-ears"),
        dir.join("../deepcuts-ears"), // tests run from target/PROFILE/deps
    ];
    places.iter().find(|p| p.exists()).cloned().ok_or_else(|| {
        format!(
            "the ears (deepcuts-ears) are not beside this program in {}; run `make build`, or `make install`",
            dir.display()
        )
    })
}
