//! The abstract type `x86_64-cpu`.
//!
//! A new object holds the settings of its model under its accelerator. Properties change them, and
//! realizing turns them into an immutable description. From then on properties read that description, and
//! none can be set any more (the reference lets a few, such as `family`, and the guest sees them change).

use std::sync::Arc;

use qom::derive::Object;
use qom::{Class, ClassInit, Device, DeviceClass, Error, Field, Instance, Obj, Object, Origin};

use super::generic::Cpu;
use super::models::CpuModels;
use super::properties;
use crate::config::{CpuConfig, PlaceIds, UNASSIGNED_APIC_ID};
use crate::expand::{ExpandError, Expanded, Warning};
use crate::feature::{self, ALIASES};
use crate::model::ModelEntry;
use crate::provenance::Setter;
use crate::realize::{RealizeError, RealizedCpu, missing};
use crate::topology::{ApicId, CpuTopology, Placement};

/// The class data that `x86_64-cpu` introduces. Concrete classes have both parts.
#[derive(Debug, Clone, Default)]
pub struct X86CpuClass {
    /// The model that the class stands for.
    pub model: Option<ModelEntry>,
    /// The models of the system, with the accelerator's source.
    pub models: Option<Arc<CpuModels>>,
}

/// A CPU without an APIC ID cannot be realized: no board has taken it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("apic-id property was not initialized properly")]
pub struct NotPlaced;

#[derive(Debug)]
struct State {
    config: CpuConfig,
    topology: CpuTopology,
    /// The property that was written last, until it is known who did.
    last_written: Option<&'static str>,
    realized: Option<Arc<RealizedCpu>>,
}

/// One x86 CPU: its settings and, once it is realized, its description.
#[derive(Debug, Object)]
#[object(name = "x86_64-cpu", abstract, class_init = X86Cpu::class_init, instance_init = X86Cpu::init)]
pub struct X86Cpu {
    parent: Cpu,
    #[object(default = Field::new(State {
        config: CpuConfig::nothing(),
        topology: CpuTopology::single(),
        last_written: None,
        realized: None,
    }))]
    state: Field<State>,
}

impl X86Cpu {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<X86CpuClass>();
        let device = class.data_mut::<DeviceClass>();
        device.user_creatable = true;
        device.realize = Self::realize;
        device.unrealize = Self::unrealize;
        properties::declare(class);
    }

    /// Loads the model, before any property is set.
    fn init(object: &dyn Object) {
        let class = object.class().data::<X86CpuClass>();
        if let Some(cpu) = object.downcast_ref::<Self>()
            && let Some(X86CpuClass { model: Some(model), models: Some(models) }) = class
        {
            let config = models.config(model);
            cpu.state.update(|state| state.config = config);
        }
    }

    fn parent_class(class: &Class) -> Option<&DeviceClass> {
        class.parent_of(Self::TYPE_NAME).and_then(Class::data)
    }

    fn realize(device: &Obj<Device>) -> Result<(), Error> {
        let class = device.as_object().class();
        let parent = Self::parent_class(class);
        let Some(cpu) = device.cast::<Self>() else {
            return parent.map_or(Ok(()), |parent| (parent.realize)(device));
        };
        let models = class.data::<X86CpuClass>().and_then(|class| class.models.as_ref());
        if let Some(models) = models {
            cpu.describe(&**device.as_object(), models)?;
        }
        let outcome = parent.map_or(Ok(()), |parent| (parent.realize)(device));
        if outcome.is_err() {
            cpu.state.update(|state| state.realized = None);
        } else if let Some(models) = models {
            Self::note_forced(&**device.as_object(), models);
        }
        outcome
    }

    /// Tells the record of settings of `+feature` and `-feature`, which the expansion applied in this order, under all
    /// spellings of the feature.
    fn note_forced(object: &dyn Object, models: &CpuModels) {
        let mut forced = models.forced();
        forced.sort_by_key(|(_, on)| !on);
        for (name, on) in &forced {
            let feature = feature::find(name).map_or(name.as_str(), |feature| feature.name);
            let spellings = ALIASES.iter().filter(|(_, of)| *of == feature).map(|(spelling, _)| *spelling);
            for name in std::iter::once(feature).chain(spellings) {
                // What the CPU took is not refused here: a name that is no property's cannot be asked after.
                let _ = object.note_set(name, if *on { "on" } else { "off" }.into(), Origin::Cpu);
            }
        }
    }

    /// What realizing the CPU with its settings of now would make of it at a place. The CPU stays as it is,
    /// and nobody is told: the warnings are added to `warnings`. Nothing for a class that the hook did not
    /// register.
    ///
    /// # Errors
    ///
    /// As realizing it.
    pub fn preview(
        object: &Obj<Self>,
        placement: Placement,
        warnings: &mut Vec<Warning>,
    ) -> Option<Result<RealizedCpu, RealizeError>> {
        let models = object.as_object().class().data::<X86CpuClass>()?.models.as_ref()?;
        Some(object.compute(&**object.as_object(), models, placement, warnings))
    }

    fn compute(
        &self,
        object: &dyn Object,
        models: &CpuModels,
        placement: Placement,
        warnings: &mut Vec<Warning>,
    ) -> Result<RealizedCpu, RealizeError> {
        self.claim_last_setting(object);
        let mut config = self.config();
        for (name, on) in models.forced() {
            config.force(name, on);
        }
        config.realize(placement, models.source(), warnings)
    }

    fn describe(&self, object: &dyn Object, models: &CpuModels) -> Result<(), Error> {
        let apic_id = self.apic_id().ok_or_else(|| Error::new(NotPlaced))?;
        let placement = Placement { topology: self.topology(), apic_id };
        let mut warnings = Vec::new();
        let outcome = self.compute(object, models, placement, &mut warnings);
        for warning in &warnings {
            models.warn(warning);
        }
        let realized = outcome.map_err(Error::new)?;
        self.state.update(|state| state.realized = Some(Arc::new(realized)));
        Ok(())
    }

    fn unrealize(device: &Obj<Device>) {
        if let Some(parent) = Self::parent_class(device.as_object().class()) {
            (parent.unrealize)(device);
        }
        if let Some(cpu) = device.cast::<Self>() {
            cpu.state.update(|state| state.realized = None);
        }
    }

    /// Looks at the settings as properties show them: the description's once the CPU is realized.
    pub(super) fn with_config<R>(&self, look: impl FnOnce(&CpuConfig) -> R) -> R {
        self.state.with(|state| look(state.realized.as_ref().map_or(&state.config, |cpu| &cpu.config)))
    }

    /// Changes, on behalf of a property of the object, the settings that the next realization starts from.
    pub(super) fn write_property<R>(
        &self,
        object: &dyn Object,
        name: &'static str,
        change: impl FnOnce(&mut CpuConfig) -> R,
    ) -> R {
        self.claim_last_setting(object);
        self.state.update(|state| {
            state.last_written = Some(name);
            change(&mut state.config)
        })
    }

    /// Tells the history who set the last property: the object knows it as soon as that is done.
    fn claim_last_setting(&self, object: &dyn Object) {
        if let Some(name) = self.state.update(|state| state.last_written.take()) {
            let setter = match object.origin_of(name) {
                Origin::Default => Setter::Program,
                Origin::MachineCompat => Setter::MachineCompat,
                Origin::Global => Setter::Global,
                Origin::Cpu => Setter::CpuOption,
                Origin::CommandLine => Setter::CommandLine,
                Origin::Machine => Setter::Machine,
                Origin::Monitor => Setter::Monitor,
            };
            self.state.update(|state| state.config.history.claim(setter));
        }
    }

    /// The description; none while the CPU is not realized.
    #[must_use]
    pub fn realized(&self) -> Option<Arc<RealizedCpu>> {
        self.state.with(|state| state.realized.clone())
    }

    /// `socket-id`, `die-id`, … as the user set them; -1 where nobody did.
    #[must_use]
    pub fn place(&self) -> PlaceIds {
        self.state.with(|state| state.config.place)
    }

    /// `apic-id`, if somebody set it.
    #[must_use]
    pub fn apic_id(&self) -> Option<ApicId> {
        let id = self.state.with(|state| state.config.apic_id);
        (id != UNASSIGNED_APIC_ID).then_some(ApicId(id))
    }

    /// The topology that the CPU is described in.
    #[must_use]
    pub fn topology(&self) -> CpuTopology {
        self.state.with(|state| state.topology)
    }

    /// Puts the CPU in its place. A board calls it in `pre_plug`, with all IDs filled in; it has no effect
    /// on a realized CPU's description.
    pub fn set_placement(&self, placement: Placement, place: PlaceIds) {
        self.state.update(|state| {
            state.topology = placement.topology;
            state.config.apic_id = placement.apic_id.0;
            state.config.place = place;
        });
    }

    /// The settings so far, without `+feature` and `-feature` of `-cpu`; for questions about CPUs that are
    /// never realized.
    #[must_use]
    pub fn config(&self) -> CpuConfig {
        self.state.with(|state| state.config.clone())
    }

    /// The settings expanded under the accelerator, `+feature` and `-feature` of `-cpu` included, of a CPU that may
    /// never be realized: nothing is filtered yet. People are told of features that went because they depend on
    /// others.
    ///
    /// # Errors
    /// [`ExpandError`] if a `+feature` or `-feature` cannot be applied, or Hyper-V enlightenments do not fit together.
    pub fn expanded(&self) -> Result<CpuConfig, ExpandError> {
        match &self.core().class().data::<X86CpuClass>().and_then(|class| class.models.as_ref()) {
            Some(models) => Ok(self.expand(models)?.config),
            None => Ok(self.config()),
        }
    }

    fn expand(&self, models: &CpuModels) -> Result<Expanded, ExpandError> {
        let (mut config, topology) = self.state.with(|state| (state.config.clone(), state.topology));
        for (name, on) in models.forced() {
            config.force(name, on);
        }
        let expanded = config.expand(&topology, models.source())?;
        for warning in &expanded.warnings {
            models.warn(warning);
        }
        Ok(expanded)
    }

    /// The features that keep a CPU of these settings, which may never be realized, from running under the
    /// accelerator; `type` alone if the settings cannot be expanded.
    pub(super) fn missing_features(&self, models: &CpuModels) -> Vec<&'static str> {
        self.expand(models).map_or_else(|_| vec!["type"], |expanded| missing(expanded, models.source()))
    }

    /// The model that the CPU is of; none for a class that the hook did not register.
    #[must_use]
    pub fn model(&self) -> Option<&ModelEntry> {
        self.core().class().data::<X86CpuClass>().and_then(|class| class.model.as_ref())
    }
}
