//! Where a machine's memory and ports are, and the memory that the program holds: QMP and the human monitor.

use std::sync::Arc;

use qmp::{Context, Error, command, hmp_command};

use super::numa::HumanReadableText;
use crate::inspect::address_spaces::{AddressSpaces, Owners};
use crate::inspect::{mtree, ram_blocks};
use crate::machine::board::Board;
use crate::vm::Vm;

fn board(context: &Context) -> Result<Option<Arc<Board>>, Error> {
    Ok(context.require::<Vm>()?.machine().and_then(|machine| machine.board().cloned()))
}

hmp_command! {
    info "mtree", "flatview:-f,dispatch_tree:-d,owner:-o,disabled:-D", "[-f][-d][-o][-D]",
    "show memory tree (-f: dump flat view for address spaces;-d: dump dispatch tree, valid with -f only);-o: dump region owners/parents;-D: dump disabled regions" =>
    fn info_mtree(monitor, arguments) {
        let board = board(monitor.context)?;
        let board = board.as_deref();
        let owners = arguments.flag("owner");
        let machine = monitor.context.require::<Vm>()?.machine().cloned();
        let devices = match &machine {
            Some(machine) if owners => Owners::below(&**machine.as_object()),
            _ => Owners::default(),
        };
        let blocks = ram_blocks::of(monitor.context, board.and_then(Board::memory));
        let AddressSpaces { spaces, shown } = AddressSpaces::of(board, &blocks, &devices);
        // No region is ever disabled, and there is no tree to find one by.
        let text = if arguments.flag("flatview") {
            mtree::flat(&spaces, owners)
        } else {
            mtree::tree(&spaces, &shown, owners)
        };
        monitor.print(format_args!("{text}"));
        Ok(())
    }
}

fn blocks(context: &Context) -> Result<String, Error> {
    let board = board(context)?;
    Ok(ram_blocks::text(&ram_blocks::of(context, board.as_deref().and_then(Board::memory))))
}

command! {
    /// Returns the blocks of memory that the program holds for a guest (RAM, firmware, memory backends) with their sizes, for a
    /// person to read.
    "x-query-ramblock" =>
    fn x_query_ramblock(context: &mut Context, (): ()) -> Result<HumanReadableText, Error> {
        Ok(HumanReadableText { human_readable_text: blocks(context)? })
    }
}

hmp_command! {
    info "ramblock", "", "", "Display system ramblock information" =>
    fn info_ramblock(monitor, _arguments) {
        let text = blocks(monitor.context)?;
        monitor.print(format_args!("{text}"));
        Ok(())
    }
}
