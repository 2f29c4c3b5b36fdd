use super::*;
use crate::topology::ApicId;

const fn regs(eax: u32, ebx: u32, ecx: u32, edx: u32) -> CpuidRegs {
    CpuidRegs { eax, ebx, ecx, edx }
}

#[test]
fn sub_leaves_beyond_the_last() {
    let zeros = SubLeaves::new(regs(1, 0, 0, 0), vec![regs(2, 0, 0, 0)], Beyond::Zero);
    assert_eq!(zeros.get(1).eax, 2);
    assert_eq!(zeros.get(2), CpuidRegs::ZERO);
    assert_eq!(zeros.get(u32::MAX), CpuidRegs::ZERO);
    // Intel SDM volume 2A, leaf 0Bh: ECX bits 7 to 0 return the input, EDX the x2APIC ID.
    let topology = SubLeaves::new(regs(0, 1, 0x100, 9), vec![], Beyond::Topology(ApicId(9)));
    assert_eq!(topology.get(0x1234), regs(0, 0, 0x34, 9));
}

#[test]
fn registers_by_name() {
    let r = regs(1, 2, 3, 4);
    assert_eq!([r[Register::Eax], r[Register::Ebx], r[Register::Ecx], r[Register::Edx]], [1, 2, 3, 4]);
}
