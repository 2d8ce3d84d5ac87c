"""A house of rooms. In each room one door leads on and the others are traps, always the same."""

from verbalrl.records import Action, Instance, Observation, Situation, StepResult

DOORS = ("take the red door", "take the green door", "take the blue door")


class Doors:
    """One walk through one house."""

    def __init__(self, instance: Instance, traps_end_it: bool = True) -> None:
        self.rooms = instance.data["rooms"]  # [{"name": …, "door": …}, …], never shown to the agent
        self.traps_end_it = traps_end_it
        self.at = 0

    def reset(self, seed: int) -> Observation:
        """Stand in the first room. `seed` is for chance, and this house knows none."""
        self.at = 0
        return self.look()

    def step(self, action: Action) -> StepResult:
        """Take a door. The feedback says what happened, and never which door was the right one."""
        if action.text not in DOORS:
            return StepResult(
                observation=self.look(), feedback="There is no such door.", success=False
            )
        if action.text != self.rooms[self.at]["door"]:
            return StepResult(
                observation=self.look(),
                feedback="A trap snapped shut: you failed.",
                reward=-1.0,
                terminated=self.traps_end_it,
                success=False,
            )
        self.at += 1
        if self.at < len(self.rooms):
            return StepResult(
                observation=self.look(), feedback="You came into another room.", success=False
            )
        return StepResult(
            observation=Observation(text="You are out in the garden.", actions=()),
            feedback="You are out of the house, a success.",
            reward=1.0,
            terminated=True,
            success=True,
        )

    def look(self) -> Observation:
        """The state, and nothing that changes without it."""
        return Observation(text=f"You are in {self.rooms[self.at]['name']}.", actions=DOORS)

    @staticmethod
    def oracle(instance: Instance):
        """A policy that always succeeds: optional, and `check_task` tries it."""

        def act(situation: Situation) -> Action:
            return Action(text=instance.data["rooms"][len(situation.history)]["door"])

        return act
