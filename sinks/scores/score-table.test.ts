import { describeScoreTable } from "../../test/conformance/score-table.ts";
import { MemoryScoreTable } from "./score-table.ts";

describeScoreTable("memory", async () => new MemoryScoreTable());
