# The built-in guest: a small operating system's side of CPU hotplug.
#
# Real mode throughout, entered below 1 MiB with CS = 0xf000. Data is in the first 32 KiB of RAM,
# DS = ES = SS = 0. FS is flat (base 0, limit 4 GiB) where the local APIC is reached by memory.
# Constants of the board come from the BoardInfo structure at CS:0xff00, which the host fills in.
# Routines say what they take and what they leave changed; flags are never kept.

    .section .rodata.qom_guest, "a", @progbits
    .globl qom_guest_code_start
    .globl qom_guest_code_end
    .balign 16
    .code16

# BoardInfo, offsets in segment CS.
    .set qg_info,         0xff00
    .set qg_hotplug_base, qg_info + 6
    .set qg_gpe_status,   qg_info + 8
    .set qg_gpe_enable,   qg_info + 10
    .set qg_com,          qg_info + 12
    .set qg_reset_port,   qg_info + 14
    .set qg_max_slots,    qg_info + 16
    .set qg_lapic,        qg_info + 20

# Variables, offsets in segment 0.
    .set qg_verbose,      0x500   # byte: CPUs that come up print their CPUID
    .set qg_x2apic,       0x501   # byte: the local APIC is reached by MSRs
    .set qg_event,        0x502   # byte: an SCI came
    .set qg_tx_room,      0x503   # byte: free places in the UART's FIFO
    .set qg_con_lock,     0x504   # byte: who holds it prints
    .set qg_rx_in,        0x505   # byte: next place to fill in qg_rx
    .set qg_rx_out,       0x506   # byte: next place to take from qg_rx
    .set qg_slots,        0x508   # dword: number of possible CPUs
    .set qg_start,        0x50c   # dword: slot that is being started
    .set qg_bsp_slot,     0x510   # dword
    .set qg_present,      0x514   # dword: CPUs found at start
    .set qg_dump_slot,    0x518   # dword: whose CPUID is printed
    .set qg_dump_max,     0x51c   # dword: last leaf of the range
    .set qg_dump_leaf,    0x520   # dword
    .set qg_dump_sub,     0x524   # dword
    .set qg_dump_mode,    0x528   # byte
    .set qg_dump_last,    0x52c   # dword: last subleaf in mode 2
    .set qg_rx,           0x540   # 32 bytes of input
    .set qg_text,         0x580   # 49 bytes: vendor or brand string
    .set qg_bsp_stack,    0x1800  # top; 2 KiB
    .set qg_ap_stack,     0x2000  # top; 2 KiB, for who holds qg_con_lock
    .set qg_state,        0x2000  # a byte a slot: 0 absent, 1 to start, 2 up
    .set qg_apic_ids,     0x4000  # a dword a slot

qom_guest_code_start:
.Lqg:
# ---- An application processor starts here (SIPI vector 0xf0), with no stack ----
    cli
    cld
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
1:  movb    $1, %al
    xchgb   %al, qg_con_lock
    testb   %al, %al
    jz      2f
    pause
    jmp     1b
2:  movw    $qg_ap_stack, %sp
    call    find_own_slot
    call    print_up
    movw    %bp, %bx
    movb    $2, qg_state(%bx)
    # The stack is the next holder's from here on: a routine could return to where that one came from.
    movb    $0, qg_con_lock
3:  cli
    hlt
    jmp     3b

# ---- The boot processor comes here from the reset vector ----
    .globl qom_guest_boot
qom_guest_boot:
    cli
    cld
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    $qg_bsp_stack, %sp
    movw    $0x500, %di
1:  movw    $0, (%di)
    addw    $2, %di
    cmpw    $0x600, %di
    jb      1b
    call    init_ivt
    call    init_pic
    call    init_com
    call    init_apic
    call    count_cpus
    call    con_lock
    movw    $(msg_prefix - .Lqg), %si
    call    puts
    movl    qg_present, %eax
    call    putdec
    movw    $(msg_of - .Lqg), %si
    call    puts
    movl    qg_slots, %eax
    call    putdec
    movw    $(msg_present - .Lqg), %si
    call    puts
    call    find_own_slot
    movzwl  %bp, %eax
    movl    %eax, qg_bsp_slot
    movw    %bp, %bx
    movb    $2, qg_state(%bx)
    call    print_up
    call    con_unlock
    xorl    %ebp, %ebp
2:  cmpl    qg_slots, %ebp
    jae     3f
    cmpb    $1, qg_state(%bp)
    jne     4f
    call    start_cpu
4:  incl    %ebp
    jmp     2b
3:  movb    $1, qg_event
# ---- Idle: sleep until there is an event or input ----
idle:
    cli
    cmpb    $0, qg_event
    jne     on_sci
    movb    qg_rx_out, %al
    cmpb    qg_rx_in, %al
    jne     on_input
    sti
    hlt
    jmp     idle

on_sci:
    movb    $0, qg_event
    sti
    # Forget the event first, look second, listen again last: nothing can be missed.
    movw    %cs:qg_gpe_status, %dx
    movb    $4, %al
    outb    %al, %dx
    call    process_events
    movw    %cs:qg_gpe_enable, %dx
    movb    $4, %al
    outb    %al, %dx
    jmp     idle

on_input:
    xorw    %bx, %bx
    movb    %al, %bl
    movb    qg_rx(%bx), %cl
    incb    %al
    andb    $31, %al
    movb    %al, qg_rx_out
    sti
    cmpb    $'v', %cl
    je      on_verbose
    cmpb    $'r', %cl
    je      on_reset
    cmpb    $'h', %cl
    jne     idle
    movw    $(msg_help - .Lqg), %si
    call    say
    jmp     idle
on_verbose:
    xorb    $1, qg_verbose
    jz      1f
    movw    $(msg_verbose_on - .Lqg), %si
    call    say
    call    con_lock
    movw    qg_bsp_slot, %bp
    call    dump_cpuid
    call    con_unlock
    jmp     idle
1:  movw    $(msg_verbose_off - .Lqg), %si
    call    say
    jmp     idle
on_reset:
    movw    $(msg_reset - .Lqg), %si
    call    say
    movw    %cs:qg_reset_port, %dx
    movb    $2, %al
    outb    %al, %dx
    movb    $6, %al
    outb    %al, %dx
    movb    $0xfe, %al
    outb    %al, $0x64
1:  cli
    hlt
    jmp     1b

# ---- Hotplug registers ----

# Selects slot BP. Changes EAX, DX.
select_bp:
    movzwl  %bp, %eax
# Selects slot EAX. Changes DX.
select:
    movw    %cs:qg_hotplug_base, %dx
    outl    %eax, %dx
    ret

# Gives command AL. Changes DX.
command:
    movw    %cs:qg_hotplug_base, %dx
    addw    $5, %dx
    outb    %al, %dx
    ret

# Reads the command data into EAX. Changes DX.
read_data:
    movw    %cs:qg_hotplug_base, %dx
    addw    $8, %dx
    inl     %dx, %eax
    ret

# Writes EAX to the command data. Changes DX.
write_data:
    movw    %cs:qg_hotplug_base, %dx
    addw    $8, %dx
    outl    %eax, %dx
    ret

# Reads the flags of the selected slot into AL. Changes DX.
read_flags:
    movw    %cs:qg_hotplug_base, %dx
    addw    $4, %dx
    inb     %dx, %al
    ret

# Writes AL to the flags of the selected slot. Changes DX.
write_flags:
    movw    %cs:qg_hotplug_base, %dx
    addw    $4, %dx
    outb    %al, %dx
    ret

# _OST for slot BP: event EBX, status ECX. Changes EAX, DX.
ost:
    call    select_bp
    movb    $1, %al
    call    command
    movl    %ebx, %eax
    call    write_data
    movb    $2, %al
    call    command
    movl    %ecx, %eax
    call    write_data
    ret

# Finds the possible CPUs, who is present, and their APIC IDs. Changes all.
count_cpus:
    xorl    %eax, %eax
    call    select
    xorb    %al, %al
    call    command
    xorl    %ebp, %ebp
1:  call    read_flags
    andb    $1, %al
    movb    %al, qg_state(%bp)
    movzbl  %al, %eax
    addl    %eax, qg_present
    incl    %ebp
    cmpl    %cs:qg_max_slots, %ebp
    jae     2f
    movl    %ebp, %eax
    call    select
    call    read_data
    testl   %eax, %eax
    jnz     1b
2:  movl    %ebp, qg_slots
    xorl    %eax, %eax
    call    select
    movb    $3, %al
    call    command
    xorl    %ebp, %ebp
3:  movl    %ebp, %eax
    call    select
    call    read_data
    movw    %bp, %bx
    shlw    $2, %bx
    movl    %eax, qg_apic_ids(%bx)
    incl    %ebp
    cmpl    qg_slots, %ebp
    jb      3b
    ret

# Handles CPUs that came and that are to go, until there is none. Changes all.
process_events:
    xorl    %edi, %edi
3:  movl    %edi, %eax
    call    select
    xorb    %al, %al
    call    command
    call    read_flags
    testb   $0x16, %al
    jz      9f
    movb    %al, %cl
    call    read_data
    cmpl    qg_slots, %eax
    jae     9f
    testb   $6, %cl
    jnz     4f
    # Left to firmware, of which there is none: look behind it, unless the search went around the end.
    cmpl    %edi, %eax
    jb      9f
    leal    1(%eax), %edi
    cmpl    qg_slots, %edi
    jb      3b
    ret
4:  movw    %ax, %bp
    testb   $2, %cl
    jz      2f
    movb    $2, %al
    call    write_flags
    movl    $0, %ecx
    cmpb    $2, qg_state(%bp)
    je      1f
    call    start_cpu
1:  movl    $1, %ebx
    call    ost
    jmp     process_events
2:  movb    $4, %al
    call    write_flags
    call    remove_cpu
    jmp     process_events
9:  ret

# ---- Starting and removing CPUs ----

# Starts the CPU in slot BP; ECX = 0 if it came up, 1 if not. Keeps BP.
start_cpu:
    movzwl  %bp, %eax
    movl    %eax, qg_start
    movb    $1, qg_state(%bp)
    movl    $0x4500, %eax
    call    send_ipi
    movl    $0x46f0, %eax
    call    send_ipi
    movw    $100, %cx
1:  pause
    cmpb    $2, qg_state(%bp)
    je      8f
    loop    1b
    movl    $0x46f0, %eax
    call    send_ipi
    movl    $1000000, %ecx
2:  cmpb    $2, qg_state(%bp)
    je      8f
    pause
    inb     $0x80, %al
    decl    %ecx
    jnz     2b
    movb    $0, qg_state(%bp)
    movw    $(msg_not_up - .Lqg), %si
    call    say_cpu
    movl    $1, %ecx
    ret
8:  xorl    %ecx, %ecx
    ret

# Lets the CPU in slot BP go. Keeps BP.
remove_cpu:
    cmpw    qg_bsp_slot, %bp
    jne     1f
    movl    $3, %ebx
    movl    $0x81, %ecx
    jmp     ost
1:  movl    $3, %ebx
    movl    $0x84, %ecx
    call    ost
    # Nobody is stopped in the middle of a line.
    call    con_lock
    movl    $0x4500, %eax
    call    send_ipi
    call    con_unlock
    movb    $0, qg_state(%bp)
    call    select_bp
    movb    $8, %al
    call    write_flags
    call    read_flags
    movl    $1, %ecx
    movw    $(msg_not_gone - .Lqg), %si
    testb   $1, %al
    jnz     2f
    xorl    %ecx, %ecx
    movw    $(msg_gone - .Lqg), %si
2:  pushl   %ecx
    call    say_cpu
    popl    %ecx
    movl    $3, %ebx
    jmp     ost

# Sends interrupt command EAX to the CPU in slot BP. Changes EAX, EBX, ECX, EDX.
send_ipi:
    movw    %bp, %bx
    shlw    $2, %bx
    movl    qg_apic_ids(%bx), %edx
    cmpb    $0, qg_x2apic
    je      1f
    movl    $0x830, %ecx
    wrmsr
    ret
1:  shll    $24, %edx
    movl    %cs:qg_lapic, %ebx
    movl    %edx, %fs:0x310(%ebx)
    movl    %eax, %fs:0x300(%ebx)
    movw    $10000, %cx
2:  movl    %fs:0x300(%ebx), %eax
    testl   $0x1000, %eax
    loopnz  2b
    ret

# BP = slot of the CPU that runs this. Changes EAX, EBX, ECX, EDX, SI.
find_own_slot:
    call    own_apic_id
    movw    qg_start, %bp
    movw    %bp, %bx
    shlw    $2, %bx
    cmpl    qg_apic_ids(%bx), %eax
    je      9f
    xorw    %bp, %bp
1:  movw    %bp, %bx
    shlw    $2, %bx
    cmpl    qg_apic_ids(%bx), %eax
    je      9f
    incw    %bp
    cmpw    qg_slots, %bp
    jb      1b
    movw    qg_start, %bp
9:  ret

# EAX = APIC ID that CPUID gives: leaf 0x1f, 0xb or 1. Changes EBX, ECX, EDX, ESI.
own_apic_id:
    xorl    %eax, %eax
    cpuid
    movl    %eax, %esi
    movl    $0x1f, %eax
    call    1f
    movl    $0x0b, %eax
    call    1f
    movl    $1, %eax
    cpuid
    movl    %ebx, %eax
    shrl    $24, %eax
    ret
1:  cmpl    %eax, %esi
    jb      2f
    xorl    %ecx, %ecx
    cpuid
    testl   %ebx, %ebx
    jz      2f
    movl    %edx, %eax
    addw    $2, %sp             # back to the caller's caller
2:  ret
