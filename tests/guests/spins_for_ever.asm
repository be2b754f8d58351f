; An endless loop with interrupts off: only the hypervisor's own timer takes the CPU away.
%include "lib/long64.inc"
start:
    say "spins"
    cli
    jmp $
