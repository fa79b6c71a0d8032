/** When targets lost their rules. */
export interface RuleEnds {
  /**
   * When a rule last ceased to send to the target: it was changed, disabled, made a shadow or deleted. Null where none
   * of the versions that are kept ever sent to it.
   */
  last(tenant: string, target: string): Promise<number | null>;
}
