/** What matching costs: orders as the other parts send them, banks of rules over city lots, hostile events. */
import { type Options, progress, type Report } from "../part.ts";
import { measureBanks } from "./match-banks.ts";
import { measureHostile } from "./match-hostile.ts";
import { measureOrders } from "./match-orders.ts";
import { measureInWorkerd } from "./match-workerd.ts";

export async function measureMatch({ quick }: Options): Promise<Report> {
  const orders = measureOrders({ quick });
  const banks = measureBanks({ quick });
  const hostile = measureHostile();
  progress("match: in workerd");
  const workerd = await measureInWorkerd({ quick });
  const parts = [orders, banks, hostile, workerd];
  return {
    title: "Matching",
    text: parts.flatMap(({ text }) => text),
    data: { ...orders.data, banks: banks.data, hostile: hostile.data, workerd: workerd.data },
    failures: [],
  };
}
