//! The abstract type `x86_64-cpu`.
//!
//! A new object holds the settings of its model under its accelerator. Properties change them, and
//! realizing turns them into an immutable description. From then on properties read that description, and
//! none can be set any more (the reference lets a few, such as `family`, and the guest sees them change).

use std::sync::Arc;

use qom::derive::Object;
use qom::{Class, ClassInit, Device, DeviceClass, Error, Field, Instance, Obj, Object};

use super::generic::Cpu;
use super::models::CpuModels;
use super::properties;
use crate::config::{CpuConfig, PlaceIds, PropertyError, UNASSIGNED_APIC_ID};
use crate::model::ModelEntry;
use crate::realize::RealizedCpu;
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
            cpu.describe(models)?;
        }
        let outcome = parent.map_or(Ok(()), |parent| (parent.realize)(device));
        if outcome.is_err() {
            cpu.state.update(|state| state.realized = None);
        }
        outcome
    }

    fn describe(&self, models: &CpuModels) -> Result<(), Error> {
        let (mut config, topology) = self.state.with(|state| (state.config.clone(), state.topology));
        if config.apic_id == UNASSIGNED_APIC_ID {
            return Err(Error::new(NotPlaced));
        }
        for (name, on) in models.forced() {
            config.force(name, on);
        }
        let placement = Placement { topology, apic_id: ApicId(config.apic_id) };
        let mut warnings = Vec::new();
        let outcome = config.realize(placement, models.source(), &mut warnings);
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

    /// Changes the settings that the next realization starts from.
    pub(super) fn update_config<R>(&self, change: impl FnOnce(&mut CpuConfig) -> R) -> R {
        self.state.update(|state| change(&mut state.config))
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
    /// never be realized: nothing is filtered yet.
    ///
    /// # Errors
    /// [`PropertyError`] if a `+feature` or `-feature` cannot be applied.
    pub fn expanded(&self) -> Result<CpuConfig, PropertyError> {
        let (mut config, topology) = self.state.with(|state| (state.config.clone(), state.topology));
        let models = self.core().class().data::<X86CpuClass>().and_then(|class| class.models.as_ref());
        let Some(models) = models else { return Ok(config) };
        for (name, on) in models.forced() {
            config.force(name, on);
        }
        Ok(config.expand(&topology, models.source())?.config)
    }

    /// The model that the CPU is of; none for a class that the hook did not register.
    #[must_use]
    pub fn model(&self) -> Option<&ModelEntry> {
        self.core().class().data::<X86CpuClass>().and_then(|class| class.model.as_ref())
    }
}
