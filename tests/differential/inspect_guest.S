/*
 * Takes the boot CPU to 64-bit mode with page tables of its own, fills registers, and halts with interrupts off. It stands at
 * the start of a firmware image of 64 KiB, and is what the monitors are compared on (record_inspect.py).
 *
 * Page tables: 1000h (level 4), 2000h (level 3), 3000h (level 2), 4000h (level 1). Linear 0 to 2 MiB is the same physical;
 * of the next 2 MiB the first page is physical 5000h, and the others are not there.
 *
 *   as inspect_guest.S -o guest.o && ld -Ttext 0 --oformat binary -o guest.bin guest.o
 */
.code16
.globl _start
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %ss
    movw $0x7000, %sp
    movl $0x2003, 0x1000
    movl $0x0, 0x1004
    movl $0x3003, 0x2000
    movl $0x00000083, 0x3000
    movl $0x00004003, 0x3008
    movl $0x00005003, 0x4000
    movl $0x64636261, 0x5000
    movl $0x1000, %eax
    movl %eax, %cr3
    movl $0x620, %eax  /* PAE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax
    wrmsr
    movw $0xf000, %ax
    movw %ax, %ds
    lgdtl gdt_pointer
    movl %cr0, %eax
    andl $0x9fffffff, %eax
    orl $0x80000001, %eax
    movl %eax, %cr0
    ljmpl $0x08, $(0xf0000 + long_mode)
.code64
long_mode:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw %ax, %fs
    movw %ax, %gs
    movl $0xc0000100, %ecx  /* IA32_FS_BASE */
    movl $0x89abcdef, %eax
    movl $0x00004567, %edx
    wrmsr
    movabsq $0x0123456789abcdef, %rax
    movabsq $0x1111111122222222, %rbx
    movabsq $0x3333333344444444, %rcx
    movabsq $0x5555555566666666, %rdx
    movabsq $0x7777777788888888, %rsi
    movabsq $0x99999999aaaaaaaa, %rdi
    movabsq $0xbbbbbbbbcccccccc, %rbp
    movabsq $0xffffffff80000000, %r8
    movl $9, %r9d
    movl $10, %r10d
    movl $11, %r11d
    movl $12, %r12d
    movl $13, %r13d
    movl $14, %r14d
    movl $15, %r15d
    stc
    std
1:  hlt
    jmp 1b
.align 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff  /* 64-bit code */
    .quad 0x00cf93000000ffff  /* data */
gdt_pointer:
    .word . - gdt - 1
    .long 0xf0000 + gdt
