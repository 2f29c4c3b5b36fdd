# Third and last part of the built-in guest: the console, and what CPUs say on it.

# ---- Console ----

# 115200 8N1, FIFO on, interrupt on input.
init_com:
    movw    %cs:qg_com, %dx
    addw    $3, %dx
    movb    $0x83, %al
    outb    %al, %dx
    subw    $3, %dx
    movb    $1, %al
    outb    %al, %dx
    incw    %dx
    xorb    %al, %al
    outb    %al, %dx
    addw    $2, %dx
    movb    $0x03, %al
    outb    %al, %dx
    decw    %dx
    movb    $0x07, %al
    outb    %al, %dx
    addw    $2, %dx
    movb    $0x0b, %al
    outb    %al, %dx
    subw    $3, %dx
    movb    $0x01, %al
    outb    %al, %dx
    ret

# Changes AL.
con_lock:
    movb    $1, %al
    xchgb   %al, qg_con_lock
    testb   %al, %al
    jz      1f
    pause
    jmp     con_lock
1:  ret

con_unlock:
    movb    $0, qg_con_lock
    ret

# Prints AL. Changes nothing.
putc:
    pushw   %ax
    pushw   %cx
    pushw   %dx
    cmpb    $0, qg_tx_room
    jne     2f
    movb    %al, %ah
    movw    %cs:qg_com, %dx
    addw    $5, %dx
    movw    $0xffff, %cx
1:  inb     %dx, %al
    testb   $0x20, %al
    loopz   1b
    movb    $16, qg_tx_room
    movb    %ah, %al
2:  decb    qg_tx_room
    movw    %cs:qg_com, %dx
    outb    %al, %dx
    popw    %dx
    popw    %cx
    popw    %ax
    ret

# Prints the text at CS:SI up to a 0. Changes AL, SI.
puts:
    movb    %cs:(%si), %al
    incw    %si
    testb   %al, %al
    jz      1f
    call    putc
    jmp     puts
1:  ret

# Prints the text at CS:SI as a line of its own. Changes AL, SI.
say:
    call    con_lock
    pushw   %si
    movw    $(msg_prefix - .Lqg), %si
    call    puts
    popw    %si
    call    puts
    call    con_unlock
    ret

# Prints "cpu BP" and the text at CS:SI as a line of its own. Changes EAX, ECX, EDX, SI.
say_cpu:
    call    con_lock
    pushw   %si
    movw    $(msg_prefix - .Lqg), %si
    call    puts
    call    put_cpu
    popw    %si
    call    puts
    call    con_unlock
    ret

# Prints "cpu BP: ". Changes EAX, ECX, EDX, SI.
put_cpu:
    movw    $(msg_cpu - .Lqg), %si
    call    puts
    movzwl  %bp, %eax
    call    putdec
    movw    $(msg_colon - .Lqg), %si
    jmp     puts

# Prints EAX in decimal. Changes EAX, ECX, EDX.
putdec:
    xorl    %edx, %edx
    movl    $10, %ecx
    divl    %ecx
    pushw   %dx
    testl   %eax, %eax
    jz      1f
    call    putdec
1:  popw    %ax
    addb    $'0', %al
    jmp     putc

# Prints EAX in hexadecimal, 8 digits. Changes CX.
puthex:
    movw    $8, %cx
1:  roll    $4, %eax
    pushw   %ax
    andb    $15, %al
    addb    $'0', %al
    cmpb    $('9' + 1), %al
    jb      2f
    addb    $('a' - '9' - 1), %al
2:  call    putc
    popw    %ax
    decw    %cx
    jnz     1b
    ret

# Prints the text at DS:SI: leading spaces left out, up to what cannot be printed. Changes AL, SI.
puttext:
    cmpb    $' ', (%si)
    jne     1f
    incw    %si
    jmp     puttext
1:  movb    (%si), %al
    incw    %si
    cmpb    $' ', %al
    jb      2f
    cmpb    $'~', %al
    ja      2f
    call    putc
    jmp     1b
2:  ret

# ---- What a CPU says of itself ----

# The CPU in slot BP, which runs this, reports. Keeps BP.
print_up:
    movw    $(msg_prefix - .Lqg), %si
    call    puts
    call    put_cpu
    movw    $(msg_up - .Lqg), %si
    call    puts
    call    own_apic_id
    call    putdec
    movw    $(msg_comma - .Lqg), %si
    call    puts
    xorl    %eax, %eax
    cpuid
    movl    %ebx, qg_text
    movl    %edx, qg_text + 4
    movl    %ecx, qg_text + 8
    movb    $0, qg_text + 12
    movw    $qg_text, %si
    call    puttext
    movw    $(msg_comma - .Lqg), %si
    call    puts
    movl    $0x80000000, %eax
    cpuid
    cmpl    $0x80000004, %eax
    jb      2f
    movw    $qg_text, %di
    movl    $0x80000002, %esi
1:  movl    %esi, %eax
    cpuid
    movl    %eax, (%di)
    movl    %ebx, 4(%di)
    movl    %ecx, 8(%di)
    movl    %edx, 12(%di)
    addw    $16, %di
    incl    %esi
    cmpl    $0x80000004, %esi
    jbe     1b
    movb    $0, (%di)
    movw    $qg_text, %si
    call    puttext
    jmp     3f
2:  movw    $(msg_no_brand - .Lqg), %si
    call    puts
3:  movb    $'\n', %al
    call    putc
    cmpb    $0, qg_verbose
    jne     dump_cpuid
    ret

# Prints all CPUID leaves of the CPU that runs this, as CPU BP. Keeps BP.
dump_cpuid:
    movzwl  %bp, %eax
    movl    %eax, qg_dump_slot
    movw    $(dump_ranges - .Lqg), %di
1:  movl    %cs:(%di), %eax
    movl    %eax, qg_dump_leaf
    xorl    %ecx, %ecx
    cpuid
    # A range that is not there answers with something outside of it.
    movl    %eax, %ecx
    testl   %eax, %eax
    jnz     2f
    testl   %ebx, %ebx
    jz      2f
    movl    qg_dump_leaf, %ecx  # KVM's own: 0 with a signature is its first two leaves
    cmpl    $0x40000000, %ecx
    jne     2f
    incl    %ecx
2:  movl    %ecx, qg_dump_max
    subl    qg_dump_leaf, %ecx
    cmpl    $0xff, %ecx
    ja      4f
3:  pushw   %di
    call    dump_leaf
    popw    %di
    incl    qg_dump_leaf
    movl    qg_dump_leaf, %eax
    cmpl    qg_dump_max, %eax
    jbe     3b
4:  addw    $4, %di
    cmpw    $(dump_ranges_end - .Lqg), %di
    jb      1b
    call    put_cpu
    movw    $(msg_cpuid_end - .Lqg), %si
    jmp     puts

# Prints the subleaves of qg_dump_leaf. Keeps BP.
dump_leaf:
    movl    $0, qg_dump_sub
    movb    $0, qg_dump_mode
    movl    qg_dump_leaf, %eax
    movw    $(dump_modes - .Lqg), %di
1:  cmpl    %cs:(%di), %eax
    je      2f
    addw    $5, %di
    cmpw    $(dump_modes_end - .Lqg), %di
    jb      1b
    jmp     3f
2:  movb    %cs:4(%di), %al
    movb    %al, qg_dump_mode
3:  call    do_cpuid
    cmpl    $0, qg_dump_sub
    jne     4f
    movl    %eax, qg_dump_last
4:  cmpb    $4, qg_dump_mode
    jne     5f
    cmpl    $2, qg_dump_sub
    jb      5f
    movl    %eax, %esi
    orl     %ebx, %esi
    orl     %ecx, %esi
    orl     %edx, %esi
    jz      6f
5:  call    dump_line
6:  call    do_cpuid
    incl    qg_dump_sub
    cmpb    $1, qg_dump_mode
    jb      9f
    je      7f
    cmpb    $3, qg_dump_mode
    jb      8f
    je      10f
    cmpl    $63, qg_dump_sub
    jb      3b
9:  ret
7:  testb   $0x1f, %al
    jz      9b
    jmp     11f
8:  movl    qg_dump_sub, %esi
    cmpl    qg_dump_last, %esi
    ja      9b
    jmp     11f
10: testb   %ch, %ch
    jz      9b
11: cmpl    $32, qg_dump_sub
    jb      3b
    ret

do_cpuid:
    movl    qg_dump_leaf, %eax
    movl    qg_dump_sub, %ecx
    cpuid
    ret

# Prints EAX, EBX, ECX, EDX as those of the leaf and subleaf.
dump_line:
    pushl   %edx
    pushl   %ecx
    pushl   %ebx
    pushl   %eax
    call    put_cpu
    movw    $(msg_cpuid - .Lqg), %si
    call    puts
    movl    qg_dump_leaf, %eax
    call    puthex
    movb    $':', %al
    call    putc
    movl    qg_dump_sub, %eax
    call    puthex
    movw    $4, %di
1:  movb    $' ', %al
    call    putc
    popl    %eax
    call    puthex
    decw    %di
    jnz     1b
    movb    $'\n', %al
    jmp     putc

# ---- Constants ----
    .balign 8
gdt:
    .quad   0
    .quad   0x00cf93000000ffff  # data, flat, accessed
gdt_pointer:
    .word   15
    .long   0xf0000 + (gdt - .Lqg)

dump_ranges:
    .long   0x00000000, 0x40000000, 0x40000100, 0x80000000, 0xc0000000
dump_ranges_end:

# Leaves with subleaves. 1: until EAX bits 0 to 4 are 0. 2: as many as EAX of subleaf 0 says.
# 3: until ECX bits 8 to 15 are 0. 4: all 63, without empty ones past 1.
dump_modes:
    .long   0x04
    .byte   1
    .long   0x07
    .byte   2
    .long   0x0b
    .byte   3
    .long   0x0d
    .byte   4
    .long   0x14
    .byte   2
    .long   0x17
    .byte   2
    .long   0x18
    .byte   2
    .long   0x1d
    .byte   2
    .long   0x1f
    .byte   3
    .long   0x20
    .byte   2
    .long   0x24
    .byte   2
    .long   0x8000001d
    .byte   1
    .long   0x80000026
    .byte   3
dump_modes_end:

msg_prefix:      .asciz "qom guest: "
msg_of:          .asciz " of "
msg_present:     .asciz " CPUs present\n"
msg_cpu:         .asciz "cpu "
msg_colon:       .asciz ": "
msg_comma:       .asciz ", "
msg_up:          .asciz "up, APIC ID "
msg_no_brand:    .asciz "no brand string"
msg_not_up:      .asciz "did not start\n"
msg_gone:        .asciz "gone\n"
msg_not_gone:    .asciz "could not be ejected\n"
msg_cpuid:       .asciz "cpuid "
msg_cpuid_end:   .asciz "cpuid end\n"
msg_verbose_on:  .asciz "verbose on\n"
msg_verbose_off: .asciz "verbose off\n"
msg_help:        .asciz "h help, r reset, v print CPUID of this and of each new CPU\n"
msg_reset:       .asciz "reset\n"
msg_fault:       .asciz "qom guest: unexpected exception, halted\n"

    .balign 4
# Where the host finds the boot processor's entry: the last word of the code.
    .word   qom_guest_boot - .Lqg
qom_guest_code_end:
    .code64
    .text
