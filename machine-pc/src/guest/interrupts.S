# Second part of the built-in guest: interrupt vectors, controllers and the local APIC.

# ---- Interrupts ----

init_ivt:
    xorw    %di, %di
1:  movw    $(fault - .Lqg), %ax
    cmpw    $0x80, %di
    jb      2f
    movw    $(ignore - .Lqg), %ax
2:  movw    %ax, (%di)
    movw    %cs, 2(%di)
    addw    $4, %di
    cmpw    $0x400, %di
    jb      1b
    movw    $(serial_interrupt - .Lqg), 0x24 * 4
    movw    $(sci_interrupt - .Lqg), 0x29 * 4
    ret

# Interrupts 0 to 15 at vectors 0x20 to 0x2f; only 2, 4 and 9 enabled, 9 by level.
init_pic:
    movb    $0x11, %al
    outb    %al, $0x20
    outb    %al, $0xa0
    movb    $0x20, %al
    outb    %al, $0x21
    movb    $0x28, %al
    outb    %al, $0xa1
    movb    $4, %al
    outb    %al, $0x21
    movb    $2, %al
    outb    %al, $0xa1
    movb    $1, %al
    outb    %al, $0x21
    outb    %al, $0xa1
    movb    $0xeb, %al
    outb    %al, $0x21
    movb    $0xfd, %al
    outb    %al, $0xa1
    movw    $0x4d1, %dx
    movb    $0x02, %al
    outb    %al, %dx
    ret

sci_interrupt:
    pushw   %ax
    pushw   %dx
    # Stops listening, which lowers the line; the main loop listens again.
    movw    %cs:qg_gpe_enable, %dx
    xorb    %al, %al
    outb    %al, %dx
    movb    $1, qg_event
    movb    $0x20, %al
    outb    %al, $0xa0
    outb    %al, $0x20
    popw    %dx
    popw    %ax
    iretw

serial_interrupt:
    pushw   %ax
    pushw   %bx
    pushw   %dx
1:  movw    %cs:qg_com, %dx
    addw    $5, %dx
    inb     %dx, %al
    testb   $1, %al
    jz      2f
    movw    %cs:qg_com, %dx
    inb     %dx, %al
    xorw    %bx, %bx
    movb    qg_rx_in, %bl
    movb    %al, qg_rx(%bx)
    incb    %bl
    andb    $31, %bl
    cmpb    qg_rx_out, %bl
    je      1b                  # full: the byte is lost
    movb    %bl, qg_rx_in
    jmp     1b
2:  movb    $0x20, %al
    outb    %al, $0x20
    popw    %dx
    popw    %bx
    popw    %ax
ignore:
    iretw

fault:
    movw    $(msg_fault - .Lqg), %si
    call    puts
1:  cli
    hlt
    jmp     1b

# ---- Local APIC ----

init_apic:
    movl    $1, %eax
    cpuid
    testl   $(1 << 21), %ecx
    jz      1f
    movl    $0x1b, %ecx
    rdmsr
    orl     $0xc00, %eax
    wrmsr
    movb    $1, qg_x2apic
    xorl    %edx, %edx
    movl    $0x1ff, %eax
    movl    $0x80f, %ecx
    wrmsr
    movl    $0x700, %eax
    movl    $0x835, %ecx
    wrmsr
    ret
1:  lgdtl   %cs:(gdt_pointer - .Lqg)
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    jmp     2f
2:  movw    $8, %bx
    movw    %bx, %fs
    andb    $0xfe, %al
    movl    %eax, %cr0
    jmp     3f
3:  movl    %cs:qg_lapic, %ebx
    movl    $0x1ff, %fs:0xf0(%ebx)
    movl    $0x700, %fs:0x350(%ebx)
    ret
