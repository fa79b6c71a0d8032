/** Bugs to plant into the order of deliveries, each of which some seed must catch. */
import { bug, type PlantedBug } from "./planted-bug.ts";

const CHAIN = "src/flows/send-in-order.ts";
const PASS = "src/flows/pass-turns.ts";
const TAKE = "src/flows/take-turns.ts";
const TURNS = "src/core/order/turns.ts";

export const PLANTED_IN_ORDERS: readonly PlantedBug[] = [
  bug(
    "what is under way holds nobody up",
    TURNS,
    "const underWay = byReceipt.find(({ isUnderWay }) => isUnderWay);",
    "const underWay = byReceipt.find(() => false);",
  ),
  bug(
    "one that is retried holds nobody up",
    TURNS,
    "const before = byReceipt.filter(\n    (other) =>\n      isOpen(other) &&",
    'const before = byReceipt.filter(\n    (other) =>\n      other.state !== "retrying" &&\n      isOpen(other) &&',
  ),
  bug(
    "one that waits is overtaken",
    TURNS,
    "const before = byReceipt.filter(\n    (other) =>\n      isOpen(other) &&",
    'const before = byReceipt.filter(\n    (other) =>\n      other.state !== "parked" &&\n      isOpen(other) &&',
  ),
  bug(
    "what was begun by one that died counts as not begun",
    TURNS,
    "attempts > 0 || hasHadTurn;",
    "attempts > 0 && hasHadTurn;",
  ),
  bug(
    "latest-wins looks at what waits alone",
    TURNS,
    "compareAge(own, other) < 0 && (isOpen(other) || hasBegun(other));",
    "compareAge(own, other) < 0 && isOpen(other);",
  ),
  bug(
    "of two the older counts as the newer",
    TURNS,
    'return hasBegun(other) && compareAge({ ...own, event: "" }, { ...other, event: "" }) < 0;',
    'return hasBegun(other) && compareAge({ ...own, event: "" }, { ...other, event: "" }) > 0;',
  ),
  bug(
    "in one batch the newest goes first",
    TAKE,
    "going.toSorted((a, b) => compareAge(ageOf(a), ageOf(b)))",
    "going.toSorted((a, b) => compareAge(ageOf(b), ageOf(a)))",
  ),
  bug(
    "those of one key in a batch go side by side",
    TAKE,
    "Map.groupBy(inOrder, ({ duty }) => duty.place?.key)",
    "Map.groupBy(inOrder, ({ duty }) => duty.id)",
  ),
  bug(
    "behind one that failed the next goes on",
    TAKE,
    'return isFinal(result.state) || (mode !== "fifo" && result.state === "retrying");',
    "return mode !== null;",
  ),
  bug(
    "the next goes before it is written what came of the one before",
    CHAIN,
    "(freesItsKey(result, mode) && (await chain.isWritten(current)))",
    "freesItsKey(result, mode)",
  ),
  bug(
    "what waits for a closed target has no place",
    TAKE,
    "return place === null ? result : { ...result, order: place };",
    "return result;",
  ),
  bug(
    "rows are written before their bytes rest",
    TAKE,
    "else if (await keptOf(duty.held)) asking.push(each);",
    "else asking.push(each);",
  ),
  bug(
    "nobody looks for those whose turn has come",
    PASS,
    "return keys.length === 0 ? 0 : sendNext(keys, ports);",
    "return 0;",
  ),
  bug(
    "what fails in a batch is nobody's",
    "src/flows/deliver-batch.ts",
    "for (const open of opened.messages) tryAgainLater(open);",
    "throw error;",
  ),
];
