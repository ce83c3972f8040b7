"""What is raced: configuration, grids, the plan and its runs, their cost, what is pruned."""
