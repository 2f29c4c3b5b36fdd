//! The models of one system, and the hook that makes classes of them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use qom::{AccelReady, Class, Field, Obj, PostAccelInit, Qom, RegistryError, Site, TypeInfo, site};

use super::accel::{SharedSource, X86Accel};
use super::x86::{X86Cpu, X86CpuClass};
use super::{X86_CPU_TYPE, properties};
use crate::config::CpuConfig;
use crate::expand::Warning;
use crate::model::{AliasPolicy, Catalogue, CpuDefinition, CpuModelDef, ModelEntry, ModelKind, TYPE_SUFFIX};
use crate::source::{Accelerator, CpuidSource};

/// A CPU model that registered at link time; `#[derive(CpuModel)]` submits it.
#[derive(Debug, Clone, Copy)]
pub struct CpuModelRegistration {
    /// The model.
    pub def: &'static CpuModelDef,
    /// Where it is defined.
    pub site: Site,
}

inventory::collect!(CpuModelRegistration);

const HOOK_NAME: &str = "x86-cpu-models";

/// The hook that registers the classes of all models that were linked in.
pub const HOOK: PostAccelInit = PostAccelInit {
    name: HOOK_NAME,
    parent: X86_CPU_TYPE,
    site: site!(),
    claims: |name| name.ends_with(TYPE_SUFFIX),
    run: |ready| {
        let models: Vec<_> = inventory::iter::<CpuModelRegistration>.into_iter().copied().collect();
        register_models(ready, &models)
    },
};

inventory::submit!(HOOK);

/// Where a warning goes: called with its text, without `warning: `.
pub type WarningSink = Arc<dyn Fn(&str) + Send + Sync>;

/// What all CPUs of a system share: the models, and the accelerator's source.
///
/// [`cpu_models`] finds it in a sealed system.
pub struct CpuModels {
    catalogue: Catalogue,
    source: SharedSource,
    policy: Field<AliasPolicy>,
    forced: Field<Vec<(String, bool)>>,
    sink: Field<Option<WarningSink>>,
    said_hyperthreading: AtomicBool,
    said_phys_bits: AtomicBool,
}

impl fmt::Debug for CpuModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuModels")
            .field("accelerator", &self.source.accelerator())
            .field("policy", &self.policy.get())
            .finish_non_exhaustive()
    }
}

impl CpuModels {
    fn new(catalogue: Catalogue, source: SharedSource) -> Self {
        Self {
            catalogue,
            source,
            policy: Field::default(),
            forced: Field::default(),
            sink: Field::default(),
            said_hyperthreading: AtomicBool::new(false),
            said_phys_bits: AtomicBool::new(false),
        }
    }

    /// The names and their models. `host` is among them under any accelerator, as in the reference's lists;
    /// its class exists under KVM alone.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// What the accelerator supports.
    #[must_use]
    pub fn source(&self) -> &(dyn CpuidSource + Send + Sync) {
        &*self.source
    }

    /// Which version a name without one means.
    #[must_use]
    pub fn alias_policy(&self) -> AliasPolicy {
        self.policy.get()
    }

    /// Says which version a name without one means: the machine type's choice, made before the first CPU.
    pub fn set_alias_policy(&self, policy: AliasPolicy) {
        self.policy.set(policy);
    }

    /// Sends warnings somewhere else than to standard error.
    pub fn set_warning_sink(&self, sink: WarningSink) {
        self.sink.set(Some(sink));
    }

    /// The settings of a new CPU of a model.
    #[must_use]
    pub fn config(&self, model: &ModelEntry) -> CpuConfig {
        CpuConfig::new(&model.clone().under(self.alias_policy()), self.source())
    }

    /// The text of `-cpu help`.
    #[must_use]
    pub fn help(&self) -> String {
        self.catalogue.help(self.alias_policy())
    }

    /// What `query-cpu-definitions` says. A CPU of each model is made for it and dropped, so that global properties and
    /// `+feature` and `-feature` of `-cpu` count. A model that has no class needs KVM.
    #[must_use]
    pub fn definitions(&self, qom: &Qom) -> Vec<CpuDefinition> {
        self.catalogue.definitions_with(self.alias_policy(), |entry| {
            let cpu = qom.create(&entry.typename()).ok().and_then(|cpu| Obj::<X86Cpu>::new(cpu).ok());
            cpu.map_or_else(|| vec!["kvm"], |cpu| cpu.missing_features(self))
        })
    }

    /// `+name` and `-name` of `-cpu`, which concern every CPU and win over its properties.
    #[must_use]
    pub fn forced(&self) -> Vec<(String, bool)> {
        self.forced.get()
    }

    pub(super) fn force(&self, name: String, on: bool) {
        self.forced.update(|forced| forced.push((name, on)));
    }

    /// Tells a person. What concerns the machine rather than one CPU is said once.
    pub(super) fn warn(&self, warning: &Warning) {
        let said = match warning {
            Warning::Hyperthreading { .. } => &self.said_hyperthreading,
            Warning::PhysBits { .. } => &self.said_phys_bits,
            _ => return self.warn_text(&warning.to_string()),
        };
        if !said.swap(true, Ordering::Relaxed) {
            self.warn_text(&warning.to_string());
        }
    }

    pub(super) fn warn_text(&self, text: &str) {
        match self.sink.get() {
            Some(sink) => sink(text),
            None => {
                let _ = writeln!(std::io::stderr(), "warning: {text}");
            }
        }
    }
}

/// Registers a class for every name of the models, and of `base`, `max` and, under KVM, `host`. [`HOOK`]
/// calls it with the models that were linked in; call it by hand for others.
///
/// # Errors
///
/// [`RegistryError::Duplicate`] if a name is taken; [`RegistryError::Hook`] if the accelerator is none for x86 CPUs.
pub fn register_models(ready: &mut AccelReady, models: &[CpuModelRegistration]) -> Result<(), RegistryError> {
    let hook_error = |message| RegistryError::Hook { hook: HOOK_NAME, message };
    let accel = ready.accel();
    let source = accel.interface::<dyn X86Accel>().map(X86Accel::source).ok_or_else(|| {
        hook_error(format!("accelerator '{}' does not say what x86 CPUs can have", accel.class().name()))
    })?;
    let catalogue = Catalogue::with_models(models.iter().map(|model| model.def))
        .map_err(|error| duplicate(models).unwrap_or_else(|| hook_error(error.to_string())))?;
    let sites: HashMap<_, _> = models.iter().map(|model| (model.def.name, model.site)).collect();
    let is_kvm = source.accelerator() == Accelerator::Kvm;
    let catalogue = if is_kvm { catalogue } else { catalogue.without_host() };
    let models = Arc::new(CpuModels::new(catalogue, source));
    for entry in models.catalogue().entries() {
        let site = entry.definition().and_then(|(def, _)| sites.get(def.name).copied()).unwrap_or(site!());
        ready.register(model_type(entry.clone(), models.clone(), site))?;
    }
    ready.leave(models);
    Ok(())
}

/// The first name that two models have, or a model and a computed one, with the places of both.
fn duplicate(models: &[CpuModelRegistration]) -> Option<RegistryError> {
    let mut sites: BTreeMap<_, _> = ["base", "host", "max"].into_iter().map(|name| (name, site!())).collect();
    for model in models {
        for name in Catalogue::names_of(model.def) {
            if let Some(other) = sites.insert(name, model.site) {
                let (first, second) = (other.min(model.site), other.max(model.site));
                return Some(RegistryError::Duplicate {
                    name: format!("{name}{TYPE_SUFFIX}"),
                    first: first.krate,
                    first_at: format!("{}:{}", first.file, first.line),
                    second: second.krate,
                    second_at: format!("{}:{}", second.file, second.line),
                });
            }
        }
    }
    None
}

fn model_type(entry: ModelEntry, models: Arc<CpuModels>, site: Site) -> TypeInfo {
    let parent = match entry.kind() {
        ModelKind::Host => "max-x86_64-cpu",
        _ => X86_CPU_TYPE,
    };
    TypeInfo::new(entry.typename(), parent, site).class_init(move |class| {
        if entry.kind() == ModelKind::Max {
            properties::declare_max(class);
        }
        let data = class.data_mut::<X86CpuClass>();
        data.model = Some(entry.clone());
        data.models = Some(models.clone());
    })
}

/// The models of a sealed system; none if no x86 models registered in it.
#[must_use]
pub fn cpu_models(qom: &Qom) -> Option<&CpuModels> {
    qom.value()
}

/// A model has no class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CpuClassError {
    /// There is no model of that name.
    #[error("unable to find CPU model '{0}'")]
    Unknown(String),
    /// The model is the host's processor, and no guest code runs on it.
    #[error("CPU model '{0}' requires KVM or HVF")]
    NeedsHost(String),
}

/// The class of a model.
///
/// Classes of models exist only after the accelerator is initialised, so this takes a sealed system:
///
/// ```
/// use target_i386::cpu::cpu_class_by_name;
///
/// let types = qom::Bootstrap::from_link_time()?;
/// let accel = types.create("tcg-accel")?;
/// let qom = types.accel_ready(accel)?.seal()?;
/// assert_eq!(cpu_class_by_name(&qom, "Haswell")?.name(), "Haswell-x86_64-cpu");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Earlier phases do not compile:
///
/// ```compile_fail,E0308
/// let types: qom::Bootstrap = qom::Bootstrap::empty();
/// let class = target_i386::cpu::cpu_class_by_name(&types, "Haswell");
/// ```
///
/// # Errors
///
/// [`CpuClassError`].
pub fn cpu_class_by_name<'a>(qom: &'a Qom, model: &str) -> Result<&'a Arc<Class>, CpuClassError> {
    match qom.class(&format!("{model}{TYPE_SUFFIX}")) {
        Ok(class) => Ok(class),
        Err(_) if model == "host" && cpu_models(qom).is_some() => {
            Err(CpuClassError::NeedsHost(model.to_owned()))
        }
        Err(_) => Err(CpuClassError::Unknown(model.to_owned())),
    }
}
